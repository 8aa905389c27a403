import io
import os
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import _check_size, decode, fit, load_image
from tests.conftest import run

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
    """A TIFF of 4 x 1 pixels of unsigned grey, which Pillow does not write in every depth."""
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
def test_a_tiff_says_how_deep_its_grey_is(tmp_path, pixels, bits, white_is_zero):
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


def test_a_float_image_of_no_numbers(tmp_path):
    path = saved(tmp_path, Image.fromarray(np.full((3, 4), np.nan, np.float32)), "nan.tif")
    with pytest.raises(ImageError, match=r"nan\.tif has pixels up to nan"):
        load_image(path)


@pytest.mark.parametrize(
    ("mode", "side"),
    [("RGB", 11_600), ("RGBA", 6_700), ("L", 10_400), ("P", 7_800), ("I;16", 6_500)],
)
def test_what_decodes_to_too_much_is_refused_before_it_is_decoded(mode, side):
    image = Image.new("1", (1, 1))
    image._mode, image._size = mode, (side, side)
    with pytest.raises(ImageError, match=r"x would take 5\d\d MiB to decode .*more than 512"):
        _check_size(image, "x", 0)
    image._size = (side * 9 // 10, side * 9 // 10)
    _check_size(image, "x", 0)


@pytest.mark.parametrize(
    ("extra", "side"), [({"transparency": (0, 0, 0)}, 6_700), ({"exif": True}, 8_200)]
)
def test_copies_for_transparency_and_turning_count(tmp_path, extra, side):
    if "exif" in extra:
        extra = {"exif": Image.Exif()}
        extra["exif"][0x0112] = 6
    with Image.open(saved(tmp_path, Image.new("RGB", (4, 4)), "small.png", **extra)) as image:
        _check_size(image, "x", 0)
        image._size = (side, side)
        with pytest.raises(ImageError, match=r"x would take 51\d MiB to decode"):
            _check_size(image, "x", 0)


def test_what_is_to_be_refused_is_not_decoded_for_it(tmp_path, monkeypatch):
    """Nor is an icon, whose picture Pillow decodes while it opens the file."""
    large = saved(tmp_path, Image.new("RGBA", (6_700, 6_700)), "large.png")
    content = large.read_bytes()
    icon = struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(content), 22) + content
    (tmp_path / "icon.png").write_bytes(icon)
    apple = b"icns" + struct.pack(">I4sI", len(content) + 16, b"ic10", len(content) + 8) + content
    (tmp_path / "apple.png").write_bytes(apple)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", None)
    with pytest.raises(ImageError, match=r"large\.png would take 51\d MiB to decode"):
        decode(large)
    for name in ("icon", "apple"):
        with pytest.raises(ImageError, match=f"{name}.png is not an image of a known format"):
            decode(tmp_path / f"{name}.png")


def test_a_png_that_says_behind_its_pixels_that_it_is_turned(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = saved(tmp_path, Image.new("RGB", (4, 2)), "turned.png", exif=exif)
    content = path.read_bytes()
    at = content.index(b"eXIf") - 4
    chunk = content[at : at + 12 + int.from_bytes(content[at : at + 4], "big")]
    rest = content.replace(chunk, b"")
    end = rest.index(b"IEND") - 4
    path.write_bytes(rest[:end] + chunk + rest[end:])
    assert decode(path).size == (2, 4)


def test_what_a_decoder_holds_beside_the_pixels_counts(tmp_path):
    """A progressive JPEG is held whole however small it is wanted; a tile may exceed its image."""
    image = Image.new("L", (10, 10)).resize((17_000, 17_000 // 2))
    whole = saved(tmp_path, image.convert("RGB"), "a.jpg", progressive=True, subsampling=0)
    with pytest.raises(ImageError, match=r"a\.jpg would take 8\d\d MiB to decode"):
        decode(whole, at_least=(64, 64))
    several = {"format": "MPO", "save_all": True, "append_images": [Image.new("RGB", (4, 3))]}
    phone = saved(
        tmp_path, image.convert("RGB"), "d.jpg", progressive=True, subsampling=0, **several
    )
    with pytest.raises(ImageError, match=r"d\.jpg would take 8\d\d MiB to decode"):
        decode(phone, at_least=(64, 64))
    assert decode(saved(tmp_path, image, "b.jpg", progressive=True), at_least=(64, 64)).size == (
        2125,
        1063,
    )
    tags = {256: 10, 257: 10, 258: 8, 259: 5, 262: 1, 322: 9000, 323: 9000, 324: 8, 325: 4}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    tiled = tmp_path / "c.tif"
    tiled.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4))
    with pytest.raises(ImageError, match=r"c\.tif would take 61\d MiB to decode"):
        decode(tiled)


def test_warnings_of_others_are_left_alone(tmp_path):
    """`warnings.catch_warnings` in threads that overlap would leave its filter behind."""
    path = saved(tmp_path, Image.new("RGB", (4, 3), RED), "a.png")
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=lambda: [load_image(path) for _ in range(60)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_postscript_starts_no_ghostscript(tmp_path, monkeypatch):
    path = tmp_path / "a.eps"
    Image.new("RGB", (4, 3), RED).save(path)
    monkeypatch.setattr("subprocess.check_call", lambda *a, **k: pytest.fail("Ghostscript"))
    with pytest.raises(ImageError, match=r"a\.eps is Encapsulated PostScript"):
        load_image(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_fifo_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageError, match=r"pipe\.png is no regular file"):
        load_image(tmp_path / "pipe.png")


@pytest.mark.parametrize("turned", [False, True])
def test_a_large_jpeg_is_decoded_at_reduced_scale(tmp_path, turned):
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    image = Image.fromarray(noise).resize((1600, 1200), Image.Resampling.BICUBIC)
    path = saved(tmp_path, image, "photo.jpg", quality=95, exif=exif)
    whole, reduced = decode(path), decode(path, at_least=(64, 64))
    assert whole.size == ((1200, 1600) if turned else (1600, 1200))
    assert reduced.size == ((150, 200) if turned else (200, 150))
    difference = fit(whole, 32, 32).astype(int) - fit(reduced, 32, 32)
    assert np.abs(difference).mean() < 3


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "ppm", "webp", "tif"])
def test_a_picture_takes_no_other_plugin_of_pillow_s(tmp_path, suffix):
    """All of them take 15 ms, a fifth of the command's time."""
    path = saved(tmp_path, Image.new("RGB", (4, 4)), f"a.{suffix}")
    script = (
        "import sys; from edge_runtime import load_image; "
        f"load_image({str(path)!r}); print('PIL.PsdImagePlugin' in sys.modules)"
    )
    assert run("-c", script).stdout == "False\n"


def test_a_wrong_suffix_and_a_pipe_are_no_matter(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4), "red").save(path, "WEBP", lossless=True)
    reader, writer = os.pipe()
    os.write(writer, path.read_bytes())
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        for source in (path, pipe):
            assert decode(source).getpixel((0, 0)) == (255, 0, 0)


def test_open_files_are_read_and_named():
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), RED).save(stream, "PNG")
    stream.seek(0)
    assert decode(stream).size == (4, 3)
    with pytest.raises(ImageError, match="it is not an image"):
        decode(io.BytesIO(b"hello"), name="it")


def test_extreme_shapes(tmp_path):
    for size in ((1, 100_000), (100_000, 1)):
        image = decode(saved(tmp_path, Image.new("RGB", size, RED)))
        for how in ("crop", "stretch", "pad"):
            assert fit(image, 32, 32, how).shape == (32, 32, 3)


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


def test_what_cannot_be_a_file_is_not_called_damaged(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "ring").symlink_to("ring")
    for name in ("file/image.png", "ring", 300 * "x"):
        with pytest.raises(ImageError, match=r"cannot be read \(.*\); check the name"):
            load_image(tmp_path / name)


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
