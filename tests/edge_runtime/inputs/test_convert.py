import struct

import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import load_image
from tests.edge_runtime.inputs.images import RED, saved


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


@pytest.mark.parametrize(
    ("pixels", "grey"),
    [
        (np.full((3, 4), 0.5, np.float32), 128),
        (np.full((3, 4), 90.0, np.float32), 90),
        (np.full((3, 4), 90 * 257, np.float32), 90),
        (np.full((3, 4), 90, np.int32), 90),
        (np.full((3, 4), 90 * 257, np.int32), 90),
        (np.full((3, 4), -5, np.int32), 0),
    ],
)
def test_deep_tiffs_are_neither_dark_nor_white(tmp_path, pixels, grey):
    loaded = load_image(saved(tmp_path, Image.fromarray(pixels), "deep.tif"))
    np.testing.assert_array_equal(loaded, np.full((3, 4, 3), grey))


def tiff(pixels: bytes, bits: int, white_is_zero: bool) -> bytes:
    """Return a TIFF of 4 x 1 pixels of unsigned grey; Pillow does not write every depth."""
    tags = [
        *((256, 4, 1, 4), (257, 4, 1, 1), (258, 3, 1, bits), (259, 3, 1, 1)),
        *((262, 3, 1, int(not white_is_zero)), (273, 4, 1, 8), (277, 3, 1, 1)),
        *((278, 4, 1, 1), (279, 4, 1, len(pixels))),
    ]
    directory = b"".join(struct.pack("<HHII", *tag) for tag in tags)
    head = b"II*\0" + struct.pack("<I", 8 + len(pixels)) + pixels
    return head + struct.pack("<H", len(tags)) + directory + bytes(4)


@pytest.mark.parametrize(
    ("pixels", "bits", "white_is_zero"),
    [
        (bytes.fromhex("000505afafff"), 12, False),
        (np.array([0, 0x5050, 0xAFAF, 0xFFFF], "<u2").tobytes(), 16, False),
        (np.array([0xFFFF, 0xAFAF, 0x5050, 0], "<u2").tobytes(), 16, True),
        (np.array([0, 0x50505050, 0xAFAFAFAF, 0xFFFFFFFF], "<u4").tobytes(), 32, False),
    ],
)
def test_grey_tiffs_of_every_depth(tmp_path, pixels, bits, white_is_zero):
    path = tmp_path / "grey.tif"
    path.write_bytes(tiff(pixels, bits, white_is_zero))
    assert load_image(path)[0, :, 0].tolist() == [0, 80, 175, 255]


def test_a_dark_deep_pgm_stays_dark(tmp_path):
    path = tmp_path / "dark.pgm"
    path.write_bytes(b"P5 4 1 65535\n" + np.array([0, 100, 200, 255], ">u2").tobytes())
    assert load_image(path)[0, :, 0].tolist() == [0, 0, 1, 1]


def test_deep_grey_with_a_transparent_level_shows_white(tmp_path):
    image = Image.fromarray(np.array([[0, 257, 65535, 514]], np.uint16))
    path = tmp_path / "deep.png"
    image.save(path, transparency=257)
    assert load_image(path)[0, :, 0].tolist() == [0, 255, 255, 2]


def test_big_endian_16_bits(tmp_path):
    path = tmp_path / "dark.tif"
    Image.fromarray(np.full((3, 4), 257, np.uint16)).save(path)
    big = Image.frombytes("I;16B", (4, 3), np.full((3, 4), 257, ">u2").tobytes())
    big.save(tmp_path / "big.tif")
    assert load_image(path).max() == load_image(tmp_path / "big.tif").max() == 1


def test_a_float_image_of_nan_is_rejected(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.full((3, 4), np.nan, np.float32)), "nan.tif")
    with pytest.raises(ImageError, match=r"nan\.tif has pixels up to nan"):
        load_image(path)


def test_transparent_pixels_show_white(tmp_path):
    image = Image.new("RGBA", (2, 1), (*RED, 255))
    image.putpixel((1, 0), (*RED, 0))
    assert load_image(saved(tmp_path, image)).tolist() == [[list(RED), [255, 255, 255]]]


def test_exif_rotation_is_applied(tmp_path):
    image = Image.new("RGB", (4, 2))
    image.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise to view
    loaded = load_image(saved(tmp_path, image, exif=exif))
    assert loaded.shape == (4, 2, 3)
    assert loaded[0, 1].tolist() == [255, 255, 255]


def test_damaged_exif_does_not_spoil_the_image(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (4, 3), RED), exif=b"Exif\0\0junk")
    assert load_image(path)[0, 0].tolist() == list(RED)
