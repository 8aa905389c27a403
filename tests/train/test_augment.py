"""Random changes to images, against slow code and Pillow."""

import numpy as np
from PIL import Image

from train import augment

IMAGES = np.random.default_rng(0).integers(1, 256, (400, 32, 32, 3), np.uint8)


def rng():
    return np.random.default_rng(7)


def test_flip_mirrors_the_selected_images():
    asked = np.arange(len(IMAGES)) % 3 == 0
    for image, before, mirrored in zip(augment.flip(IMAGES, asked), IMAGES, asked, strict=True):
        np.testing.assert_array_equal(image, before[:, ::-1] if mirrored else before)


def test_translate_shifts_by_every_offset():
    shifted = augment.translate(IMAGES, 2, rng())
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    offsets = set()
    for image, around in zip(shifted, padded, strict=True):
        found = [
            (y, x)
            for y in range(5)
            for x in range(5)
            if np.array_equal(image, around[y : y + 32, x : x + 32])
        ]
        assert len(found) == 1
        offsets.add(found[0])
    assert len(offsets) == 25


def test_crop_enlarges_a_part_of_at_least_the_share():
    """In a ramp, each step between neighbours becomes the part's share of the side."""
    ramp = np.broadcast_to(np.arange(0, 256, 2, np.uint8), (128, 128))
    images = np.broadcast_to(np.stack([ramp, ramp.T, ramp], axis=2), (200, 128, 128, 3)).copy()
    cropped = augment.crop(images, 0.4, rng()).astype(int)
    across = np.ptp(cropped[:, 64, 4:-4, 0], axis=1) / np.ptp(ramp[0, 4:-4].astype(int))
    down = np.ptp(cropped[:, 4:-4, 64, 1], axis=1) / np.ptp(ramp[0, 4:-4].astype(int))
    areas, ratios = across * down, across / down
    assert 0.38 <= areas.min() < 0.45
    assert 0.9 < areas.max() <= 1.001
    assert 0.73 <= ratios.min() < 0.8
    assert 1.25 < ratios.max() <= 1.37
    corners = cropped[:, 64, 64]
    assert np.ptp(corners[:, 0]) > 30  # parts lie at many places, in both directions
    assert np.ptp(corners[:, 1]) > 30


def test_recolour_scales_brightness_contrast_and_saturation():
    images = np.random.default_rng(1).integers(90, 160, (300, 8, 8, 3), np.uint8)
    changed = augment.recolour(images, 0.2, rng()).astype(np.float64)
    before = images.astype(np.float64)

    def grey(pixels):
        return pixels.mean(axis=3)

    def colour(pixels):
        return pixels - grey(pixels)[..., None]

    brightness = grey(changed).mean(axis=(1, 2)) / grey(before).mean(axis=(1, 2))
    contrast = grey(changed).std(axis=(1, 2)) / grey(before).std(axis=(1, 2))
    saturation = colour(changed).std(axis=(1, 2, 3)) / colour(before).std(axis=(1, 2, 3)) / contrast
    for factor in (brightness, contrast, saturation):
        assert 0.78 < factor.min() < 0.84
        assert 1.16 < factor.max() < 1.22
    assert abs(np.corrcoef(brightness, contrast)[0, 1]) < 0.2


def test_cutout_paints_one_square():
    painted = augment.cutout(IMAGES, 8, rng())
    changed = (painted != IMAGES).any(axis=3)
    assert (painted[changed] == 128).all()
    for mask in changed:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert 4 <= np.ptp(rows) + 1 <= 8
        assert 4 <= np.ptp(columns) + 1 <= 8
    assert changed.sum(axis=(1, 2)).max() == 64


def resized_by_pillow(image, *sides):
    resized = Image.fromarray(image)
    for side in sides:
        resized = resized.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.int16)


def test_resize_equals_pillow_s_resize():
    images = IMAGES[:20] // 2 + 64  # so that the kernel's overshoot stays within 0-255
    shrunk = augment.resize(images, 24)
    assert shrunk.shape == (20, 24, 24, 3)
    for ours, image in zip(shrunk, images, strict=True):
        # Pillow rounds to 8 bits between its two passes; ours rounds once.
        assert np.abs(ours - resized_by_pillow(image, 24)).max() <= 1


def test_soften_removes_detail_from_a_share_of_the_images():
    softened = augment.soften(IMAGES, 0.25, rng())
    changed = (softened != IMAGES).any(axis=(1, 2, 3))
    assert 60 < changed.sum() < 140
    for ours, image in zip(softened[changed][:20], IMAGES[changed][:20], strict=True):
        # Pillow rounds after both resizes, and clips if the bicubic kernel overshoots.
        assert np.abs(ours - resized_by_pillow(image, 256, 32)).mean() < 2
    assert (
        np.diff(softened[changed].astype(int), axis=1).std()
        < 0.9 * np.diff(IMAGES[changed].astype(int), axis=1).std()
    )


def test_inputs_stay_and_the_generator_determines_the_result():
    before = IMAGES.copy()
    changes = (
        lambda x, r: augment.translate(x, 3, r),
        lambda x, r: augment.soften(x, 0.5, r),
        lambda x, r: augment.cutout(x, 8, r),
    )
    for change in changes:
        one, two = change(IMAGES, rng()), change(IMAGES, rng())
        assert one.dtype == np.uint8
        np.testing.assert_array_equal(one, two)
        assert not np.array_equal(one, change(IMAGES, np.random.default_rng(8)))
    np.testing.assert_array_equal(IMAGES, before)
