"""Sample layouts that Pillow reads wrongly are read right, or rejected with a reason."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import load_image
from tests.edge_runtime.inputs.images import png, tiff

GREY, RGB, PALETTE = 0, 2, 3
SEPARATE = {284: [2]}


@pytest.mark.parametrize(
    ("width", "depth", "colour", "row", "transparent", "red"),
    [
        (2, 1, GREY, b"\x40", b"\0\0", [255, 255]),
        (4, 2, GREY, b"\x1b", b"", [0, 85, 170, 255]),
        (4, 2, GREY, b"\x1b", b"\0\0", [255, 85, 170, 255]),
        (4, 2, GREY, b"\x1b", b"\0\1", [0, 255, 170, 255]),
        (4, 2, GREY, b"\x1b", b"\0\2", [0, 85, 255, 255]),
        (2, 4, GREY, b"\x5a", b"\0\5", [255, 170]),
        (2, 4, GREY, b"\x5a", b"\0\x0a", [85, 255]),
        (2, 8, GREY, b"\x05\x50", b"\0\5", [255, 80]),
        (2, 8, GREY, b"\x05\x50", b"\1\5", [255, 80]),  # only the lower bits count
        (2, 16, GREY, b"\x10\x01\x50\x50", b"\x10\x01", [255, 80]),
        (2, 8, RGB, bytes([16, 32, 48, 5, 6, 7]), bytes([0, 16, 0, 32, 0, 48]), [255, 5]),
    ],
)
def test_the_transparent_level_of_a_png_is_white(
    tmp_path, width, depth, colour, row, transparent, red
):
    path = tmp_path / "a.png"
    path.write_bytes(png(width, 1, depth, colour, b"\0" + row, transparent))
    assert load_image(path)[0, :, 0].tolist() == red


def test_a_transparent_colour_of_16_bits_must_be_equal_in_both_bytes(tmp_path):
    transparent = bytes([16, 1, 32, 2, 48, 3])
    others = bytes([16, 0, 32, 2, 48, 3, 16, 1, 32, 2, 49, 3])
    content = png(3, 1, 16, RGB, b"\0" + transparent + others, transparent)
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert load_image(path).tolist() == [[[255] * 3, [16, 32, 48], [16, 32, 49]]]


def test_a_transparent_colour_of_16_bits_is_found_in_a_stream_too():
    from edge_runtime.inputs.decode import decode

    transparent = bytes([16, 1, 32, 2, 48, 3])
    stream = io.BytesIO(png(1, 1, 16, RGB, b"\0" + transparent, transparent))
    assert decode(stream).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize("rows", [5, 2])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_tiffs_in_planes(tmp_path, order, deflate, rows, bits, mode):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, len(mode)), np.uint8)
    wide = pixels if bits == 8 else pixels * np.uint16(257)
    planes = np.moveaxis(wide, -1, 0).astype(f"{order}u{bits // 8}")
    strips = [plane[row : row + rows].tobytes() for plane in planes for row in range(0, 5, rows)]
    tags = {**SEPARATE, 278: [rows], 262: [2 if mode == "RGB" else 5]}
    path = tmp_path / "a.tif"
    path.write_bytes(
        tiff(7, 5, strips, (bits,) * len(mode), order=order, deflate=deflate, tags=tags)
    )
    expected = np.asarray(Image.fromarray(pixels, mode).convert("RGB"))
    np.testing.assert_array_equal(load_image(path), expected)


@pytest.mark.parametrize(
    ("packed", "bits", "photometric", "levels"),
    [
        (b"\x1b", 2, 1, [0, 85, 170, 255]),
        (b"\x1b", 2, 0, [255, 170, 85, 0]),
        (b"\x0f\xa5", 4, 1, [0, 255, 170, 85]),
        (struct.pack("<4H", 0, 0x5050, 0xA0A0, 0xFFFF), 16, 1, [0, 80, 160, 255]),
    ],
)
def test_one_plane_is_read_like_interleaved_samples(tmp_path, packed, bits, photometric, levels):
    for name, tags in (("a.tif", {}), ("b.tif", SEPARATE)):
        path = tmp_path / name
        path.write_bytes(tiff(4, 1, [packed], (bits,), tags={262: [photometric], **tags}))
        assert load_image(path)[0, :, 0].tolist() == levels


def test_planes_whose_bits_are_reversed(tmp_path):
    reverse = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    strips = [bytes([value]).translate(reverse) for value in (10, 80, 200)]
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(1, 1, strips, (8,) * 3, tags={**SEPARATE, 266: [2]}))
    assert load_image(path).tolist() == [[[10, 80, 200]]]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize(
    ("kind", "sample_format", "values"),
    [("f4", 3, [0, 0.25, 0.5, 1]), ("i4", 2, [0, 64, 128, 255]), ("i2", 2, [0, 64, 128, 255])],
)
def test_deep_grey_in_both_byte_orders(tmp_path, order, deflate, kind, sample_format, values):
    data = np.array(values, order + kind)
    bits = (8 * data.itemsize,)
    path = tmp_path / "a.tif"
    path.write_bytes(
        tiff(
            4, 1, [data.tobytes()], bits, order=order, deflate=deflate, tags={339: [sample_format]}
        )
    )
    assert load_image(path)[0, :, 0].tolist() == [0, 64, 128, 255]


def test_raw_colours_with_shared_chroma(tmp_path):
    """YCbCr stores two by two pixels in one unit of six bytes: four times Y, then Cb and Cr."""
    unit = bytes([80, 80, 80, 80, 128, 128])
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(4, 2, [2 * unit], (8,) * 3, tags={262: [6], 530: [2, 2]}))
    np.testing.assert_array_equal(load_image(path), np.full((2, 4, 3), 80))


def test_a_tiff_palette_of_8_bits(tmp_path):
    palette = [0] * 768
    palette[1], palette[257], palette[513] = 200, 10, 20
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(2, 1, [b"\0\1"], tags={262: [3], 320: palette}))
    assert load_image(path).tolist() == [[[0, 0, 0], [200, 10, 20]]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tiff(1, 1, [b"\1"], tags={339: [2]}), "has signed samples of 8 bits"),
        (tiff(1, 1, [bytes(4)], (8,) * 4, tags={262: [5], 332: [2]}), "has inks other than CMYK"),
        (
            tiff(1, 1, [b"\1"] * 4, (8,) * 4, tags={**SEPARATE, 338: [1]}),
            "stores premultiplied alpha in separate planes",
        ),
        (tiff(1, 1, [b"\1"] * 2, (8, 8), tags={**SEPARATE, 338: [2]}), "stores LA in separate"),
        (tiff(1, 1, [b"\1"] * 3, (8,) * 3, tags={**SEPARATE, 262: [8]}), "stores LAB in separate"),
        (tiff(1, 1, [bytes(4)], (16, 16), tags={338: [2]}), "is a TIFF of a kind that is not"),
    ],
)
def test_tiffs_that_are_rejected(tmp_path, content, reason):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"a\.tif {reason}"):
        load_image(path)


@pytest.mark.parametrize(
    ("bits", "pixels", "levels"),
    [(8, b"\0\1\1\0", [0, 255, 255, 0]), (4, b"\x01\x10", [0, 255, 255, 0])],
)
@pytest.mark.parametrize("kind", ["BMP", "DIB"])
def test_a_bmp_of_few_colours_that_are_grey(tmp_path, bits, pixels, levels, kind):
    header = struct.pack("<IiiHHIIiiII", 40, 4, 1, 1, bits, 0, 0, 0, 0, 2, 0)
    palette = b"\0\0\0\0\xff\xff\xff\0"
    content = header + palette + pixels.ljust(4, b"\0")
    if kind == "BMP":
        content = b"BM" + struct.pack("<IHHI", 14 + len(content), 0, 0, 62) + content
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(content)
    assert load_image(path)[0, :, 0].tolist() == levels


def test_a_bmp_with_alpha_in_16_bits(tmp_path):
    header = struct.pack("<IiiHHIIiiII", 56, 2, 1, 1, 16, 3, 0, 0, 0, 0, 0)
    header += struct.pack("<4I", 0x7C00, 0x3E0, 0x1F, 0x8000)
    content = header + struct.pack("<2H", 0xFC00, 0x7C00)
    path = tmp_path / "a.bmp"
    path.write_bytes(b"BM" + struct.pack("<IHHI", 14 + len(content), 0, 0, 70) + content)
    assert load_image(path).tolist() == [[[255, 0, 0], [255, 255, 255]]]


def psd(kind, channels, depth, rows, *, run_lengths=False, resources=b"") -> bytes:
    """Return a PSD of 2 x 1 pixels; `rows` are the bytes of each channel's row."""
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, channels, 1, 2, depth, kind)
    head += struct.pack(">II", 0, len(resources)) + resources + bytes(4)
    if not run_lengths:
        return head + struct.pack(">H", 0) + b"".join(rows)
    packed = [bytes([len(row) - 1]) + row for row in rows]
    lengths = struct.pack(f">{len(rows)}H", *map(len, packed))
    return head + struct.pack(">H", 1) + lengths + b"".join(packed)


@pytest.mark.parametrize(
    ("content", "pixels"),
    [
        (psd(0, 1, 1, [b"\x40"]), [[255] * 3, [0] * 3]),  # 1 is black
        (psd(1, 2, 8, [b"\x0a\x50", b"\xff\xff"], run_lengths=True), [[10] * 3, [80] * 3]),
        (
            psd(3, 5, 8, [b"\1\2", b"\3\4", b"\5\6", b"\7\7", b"\7\7"], run_lengths=True),
            [[1, 3, 5], [2, 4, 6]],
        ),
        (psd(3, 4, 8, [b"\1\2", b"\3\4", b"\5\6", b"\0\0"]), [[1, 3, 5], [2, 4, 6]]),
    ],
)
def test_psds(tmp_path, content, pixels):
    path = tmp_path / "a.psd"
    path.write_bytes(content)
    assert load_image(path).tolist() == [pixels]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.psd", psd(7, 3, 8, [b"\1\2"] * 3), "is a multichannel image"),
        (
            "b.psd",
            psd(1, 1, 8, [b"\1\2"], resources=b"8BIM\x04\x21\0\0\0\0\0\x06" + bytes(6)),
            "holds layers only",
        ),
        (
            "a.sgi",
            struct.pack(">HBBHHHH", 474, 0, 1, 2, 1, 1, 1) + bytes(92) + b"\0\0\0\1" + bytes(405),
            "has a palette or dithered colours",
        ),
    ],
)
def test_files_of_other_formats_that_are_rejected(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"{name} {reason}"):
        load_image(path)


@pytest.mark.parametrize(("attributes", "pixel"), [(8, [255] * 3), (0, [3, 2, 1])])
def test_the_alpha_of_a_tga_counts_if_the_file_has_any(tmp_path, attributes, pixel):
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, 2, 0, 0, 0, 0, 0, 1, 1, 32, 0x20 | attributes)
    path = tmp_path / "a.tga"
    path.write_bytes(header + b"\1\2\3\0" + bytes(26))
    assert load_image(path).tolist() == [[pixel]]


@pytest.mark.parametrize("suffix", [".jp2", ".j2k"])
def test_jpeg_2000_colours_of_more_than_8_bits_are_rejected(tmp_path, suffix):
    """Pillow turns their white into black."""
    path = tmp_path / f"a{suffix}"
    Image.new("RGB", (40, 30), "white").save(path)
    assert load_image(path).min() == 255
    content = bytearray(path.read_bytes())
    at = content.index(b"\xff\x4f\xff\x51") + 42  # the depth of the first component
    assert content[at] == 7
    content[at] = content[at + 3] = content[at + 6] = 11
    path.write_bytes(content)
    with pytest.raises(ImageError, match="has colours of more than 8 bits"):
        load_image(path)
