"""What `plain_png` reads is what Pillow reads, and all else is left to Pillow."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from edge_runtime import ImageError
from edge_runtime.inputs import decode as module
from edge_runtime.inputs.decode import load_image
from edge_runtime.inputs.plain_png import plain_png

RNG = np.random.default_rng(0)


def saved(image, **options):
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return stream.getvalue()


def noise(height=32, width=32, channels=3):
    shape = (height, width, channels) if channels > 1 else (height, width)
    return Image.fromarray(RNG.integers(0, 256, shape, np.uint8))


def chunk(name, data):
    return struct.pack(">I4s", len(data), name) + data + struct.pack(">I", zlib.crc32(name + data))


PLAIN = saved(noise())


@pytest.mark.parametrize("size", [(32, 32), (1, 1), (7, 300), (256, 256)])
def test_plain_pixels_are_those_that_pillow_reads(size):
    for image in (noise(*size), Image.new("RGB", size[::-1], (1, 2, 3))):
        content = saved(image)
        assert np.array_equal(plain_png(content), image)


def test_pixels_in_several_chunks():
    header, pixels = PLAIN[:33], PLAIN[41:-16]
    chunks = b"".join(chunk(b"IDAT", pixels[i : i + 100]) for i in range(0, len(pixels), 100))
    content = header + chunks + chunk(b"IEND", b"")
    assert np.array_equal(plain_png(content), Image.open(io.BytesIO(PLAIN)))


def with_text():
    info = PngImagePlugin.PngInfo()
    info.add_text("a", "b")
    return saved(noise(), pnginfo=info)


EXIF = Image.Exif()
EXIF[0x0112] = 6  # turned

OTHERS = {
    "grey": saved(noise(channels=1)),
    "palette": saved(noise().convert("P")),
    "alpha": saved(noise(channels=4)),
    "16 bits": saved(Image.fromarray(RNG.integers(0, 65536, (8, 8), np.uint16))),
    "transparent colour": saved(noise(), transparency=(1, 2, 3)),
    "text": with_text(),
    "EXIF": saved(noise(), exif=EXIF),
    "too many pixels": saved(Image.new("RGB", (257, 256))),
    "interlaced": PLAIN[:8] + chunk(b"IHDR", PLAIN[16:28] + b"\1") + PLAIN[33:],
    "JPEG": b"\xff\xd8\xff",
    "empty": b"",
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS.keys())
def test_everything_else_is_left_to_pillow(content):
    assert plain_png(content) is None


@pytest.mark.parametrize("length", range(0, len(PLAIN), 41))
def test_a_truncated_file_is_left_to_pillow(length):
    cut = plain_png(PLAIN[:length])
    assert cut is None


def test_a_damaged_file_gives_what_pillow_gives(tmp_path, monkeypatch):
    """Any byte may be wrong; both read the same pixels, or refuse the file in the same words."""
    path = tmp_path / "a.png"

    def outcome():
        try:
            return load_image(path).tolist()
        except ImageError as exc:
            return str(exc)

    small = saved(noise(4, 4))
    for place in range(len(small)):
        for value in (0, small[place] ^ 1, 255):
            path.write_bytes(small[:place] + bytes([value]) + small[place + 1 :])
            ours = outcome()
            with monkeypatch.context() as patch:
                patch.setattr(module, "plain_png", lambda content: None)
                assert ours == outcome(), (place, value)
