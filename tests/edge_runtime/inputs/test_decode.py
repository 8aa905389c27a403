import io
import os
import struct
import threading
import warnings

import numpy as np
import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import decode, load_image
from edge_runtime.inputs.resize import fit
from tests.conftest import run
from tests.edge_runtime.inputs.images import RED, black_png, saved


def test_rgb_pixels_come_as_they_are(tmp_path):
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    loaded = load_image(saved(tmp_path, Image.fromarray(pixels)))
    assert loaded.dtype == np.uint8
    np.testing.assert_array_equal(loaded, pixels)


def test_an_image_that_is_too_large_is_not_decoded(tmp_path, monkeypatch):
    """An icon is not even opened, because Pillow decodes an icon when it opens the file."""
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


@pytest.mark.parametrize("brands", [b"heic\0\0\0\0mif1heic", b"mif1\0\0\0\0miafheix"])
def test_a_photograph_in_heic_is_named_whatever_its_suffix(tmp_path, brands):
    (tmp_path / "photograph.jpg").write_bytes(b"\0\0\0\x18ftyp" + brands)
    with pytest.raises(ImageError, match=r"jpg is HEIC, which is not read; save it as JPEG\."):
        decode(tmp_path / "photograph.jpg")


def test_a_png_may_give_its_rotation_after_its_pixels(tmp_path):
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


def test_the_program_s_warning_filters_stay(tmp_path):
    """In threads that overlap, `warnings.catch_warnings` would leave its filter behind."""
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
    with pytest.raises(ImageError, match=r"pipe\.png is not a regular file"):
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
def test_an_image_imports_no_plugin_of_another_format(tmp_path, suffix):
    """Importing all plugins of Pillow takes 15 ms, a fifth of the command's time."""
    path = saved(tmp_path, Image.new("RGB", (4, 4)), f"a.{suffix}")
    script = (
        "import sys; from edge_runtime import load_image; "
        f"load_image({str(path)!r}); print('PIL.PsdImagePlugin' in sys.modules)"
    )
    assert run("-c", script).stdout == "False\n"


def test_files_with_a_wrong_suffix_and_pipes_are_read(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (4, 4), "red").save(path, "WEBP", lossless=True)
    reader, writer = os.pipe()
    os.write(writer, path.read_bytes())
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        for source in (path, pipe):
            assert decode(source).getpixel((0, 0)) == (255, 0, 0)


def test_open_files_are_read_and_errors_name_them():
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), RED).save(stream, "PNG")
    stream.seek(0)
    assert decode(stream).size == (4, 3)
    with pytest.raises(ImageError, match="it is not an image"):
        decode(io.BytesIO(b"hello"), name="it")


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
def test_files_that_are_not_images(tmp_path, content, reason):
    path = tmp_path / "bad.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"bad\.png .*{reason}|bad\.png {reason}"):
        load_image(path)


def test_missing_file_and_directory(tmp_path):
    with pytest.raises(ImageError, match=r"There is no file .*nope"):
        load_image(tmp_path / "nope.png")
    with pytest.raises(ImageError, match="is a directory"):
        load_image(tmp_path)


def test_a_name_that_cannot_be_a_file_is_not_called_damaged(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "ring").symlink_to("ring")
    for name in ("file/image.png", "ring", 300 * "x"):
        with pytest.raises(ImageError, match=r"cannot be read \(.*\); check the name"):
            load_image(tmp_path / name)


def test_decode_gives_the_pixels_of_load_image(tmp_path):
    path = saved(tmp_path, Image.new("RGB", (4, 3), RED))
    np.testing.assert_array_equal(np.asarray(decode(path)), load_image(path))
