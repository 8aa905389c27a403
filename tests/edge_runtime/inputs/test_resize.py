import numpy as np
import pytest
from PIL import Image

from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.resize import FITS, fit
from tests.edge_runtime.inputs.images import RED, saved


def test_an_image_of_the_right_size_keeps_its_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_array_equal(fit(Image.fromarray(pixels), 32, 32), pixels)


@pytest.mark.parametrize(("width", "height"), [(100, 50), (50, 100), (1, 1000), (1000, 1), (1, 1)])
def test_a_crop_keeps_the_centre(width, height):
    """Everything outside the largest centred square is green and must not be seen.

    Only the two outer rows may be tinged, because the bicubic kernel reaches two pixels out.
    """
    side = min(width, height)
    image = Image.new("RGB", (width, height), "green")
    left, top = (width - side) // 2, (height - side) // 2
    image.paste(RED, (left, top, left + side, top + side))
    fitted = fit(image, 8, 8)
    assert fitted.shape == (8, 8, 3)
    if side > 1:
        np.testing.assert_array_equal(fitted[2:-2, 2:-2], np.broadcast_to(RED, (4, 4, 3)))


@pytest.mark.parametrize("size", [(464, 600), (58, 100), (29, 79)])
def test_rounding_stays_inside_the_image(size):
    assert fit(Image.new("RGB", size, RED), 224, 224).shape == (224, 224, 3)


def test_resizing_is_antialiased():
    """A fine checkerboard averages to grey; picking single pixels would give black and white."""
    board = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    fitted = fit(Image.fromarray(np.stack([board] * 3, axis=2)), 32, 32)
    assert 120 <= fitted.min() <= fitted.max() <= 135


def test_extreme_shapes(tmp_path):
    for size in ((1, 100_000), (100_000, 1)):
        image = decode(saved(tmp_path, Image.new("RGB", size, RED)))
        for how in FITS:
            assert fit(image, 32, 32, how).shape == (32, 32, 3)
