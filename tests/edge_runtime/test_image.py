import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.image import decode, fit, load_image

RED = (200, 10, 20)


def saved(tmp_path, image, name="image.png", **options):
    image.save(tmp_path / name, **options)
    return tmp_path / name


def black_png(side: int) -> bytes:
    """A square one-bit PNG of a few kB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    pixels = zlib.compress(bytes((1 + (side + 7) // 8) * side), 9)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_rgb_pixels_come_as_they_are(tmp_path):
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    loaded = load_image(saved(tmp_path, Image.fromarray(pixels)))
    assert loaded.dtype == np.uint8
    np.testing.assert_array_equal(loaded, pixels)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK", "YCbCr"])
def test_colour_modes(tmp_path, mode):
    image = Image.new("RGB", (4, 3), RED)
    image = image.quantize(4) if mode == "P" else image.convert(mode)
    name = "image.tif" if mode in ("CMYK", "YCbCr") else "image.png"
    loaded = load_image(saved(tmp_path, image, name))
    assert loaded.shape == (3, 4, 3)
    np.testing.assert_allclose(loaded[0, 0], RED, atol=3)  # YCbCr rounds


@pytest.mark.parametrize(
    ("image", "grey"),
    [
        (Image.new("L", (4, 3), 90), 90),
        (Image.new("1", (4, 3), 1), 255),
        (Image.fromarray(np.full((3, 4), 90 * 257, np.uint16)), 90),  # 16-bit
        (Image.fromarray(np.full((3, 4), 65535, np.uint16)), 255),
        (Image.new("LA", (4, 3), (90, 255)), 90),
    ],
)
def test_grey_becomes_rgb(tmp_path, image, grey):
    loaded = load_image(saved(tmp_path, image))
    np.testing.assert_array_equal(loaded, np.full((3, 4, 3), grey))


def test_transparent_pixels_show_white(tmp_path):
    image = Image.new("RGBA", (2, 1), (*RED, 255))
    image.putpixel((1, 0), (*RED, 0))
    assert load_image(saved(tmp_path, image)).tolist() == [[list(RED), [255, 255, 255]]]


def test_exif_rotation_is_applied(tmp_path):
    image = Image.new("RGB", (4, 2))
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise to view
    loaded = load_image(saved(tmp_path, image, exif=exif))
    assert loaded.shape == (4, 2, 3)
    assert loaded[0, 1].tolist() == [255, 255, 255]


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    path = saved(tmp_path, frames[0], "a.gif", save_all=True, append_images=frames[1:])
    assert load_image(path)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"hello\n", "is not an image"),
        (black_png(64)[:-30], "is damaged"),
        (black_png(30_000), "more than 178,956,970 pixels"),
    ],
)
def test_bad_files(tmp_path, content, reason):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"bad\.png .*{reason}|bad\.png {reason}"):
        load_image(path)


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(ImageError, match=r"There is no file .*nope"):
        load_image(tmp_path / "nope.png")
    with pytest.raises(ImageError, match="is a directory"):
        load_image(tmp_path)


def test_an_image_of_the_right_size_is_untouched():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_array_equal(fit(Image.fromarray(pixels), 32, 32), pixels)


@pytest.mark.parametrize(("width", "height"), [(100, 50), (50, 100), (1, 1000), (1000, 1), (1, 1)])
def test_the_centre_is_what_is_kept(width, height):
    """Everything outside the largest centred square is green and must not be seen.

    Only the two outer rows may be tinged: there the bicubic kernel, two pixels wide, reaches out.
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


def test_odd_exif_does_not_spoil_the_picture(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (4, 3), RED), exif=b"Exif\0\0junk")
    assert load_image(path)[0, 0].tolist() == list(RED)


def test_resizing_is_antialiased():
    """A fine checkerboard averages to grey; picking single pixels would give black and white."""
    board = (np.indices((256, 256)).sum(axis=0) % 2 * 255).astype(np.uint8)
    fitted = fit(Image.fromarray(np.stack([board] * 3, axis=2)), 32, 32)
    assert 120 <= fitted.min() <= fitted.max() <= 135


def test_decode_gives_what_load_image_gives(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (4, 3), RED))
    np.testing.assert_array_equal(np.asarray(decode(path)), load_image(path))
