"""What `plain_jpeg` reads is what Pillow reads, and all else is left to Pillow."""

import io

import numpy as np
import pytest
from PIL import Image

from edge_runtime import ImageError
from edge_runtime.inputs import decode as module
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.plain_jpeg import MAX_FILE_BYTES, plain_jpeg

RNG = np.random.default_rng(0)
ENOUGH = (None, (8, 8), (20, 30))


def scene(width, height, mode="RGB"):
    """Return an image of coarse patches and noise."""
    patches = Image.fromarray(RNG.integers(0, 256, (3, 4, 3), np.uint8))
    pixels = np.asarray(patches.resize((width, height))).astype(np.int16)
    pixels = pixels + RNG.integers(-9, 10, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode)


def saved(image, **options):
    stream = io.BytesIO()
    image.save(stream, "JPEG", **options)
    return stream.getvalue()


def segment(marker, data):
    return bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2) + data


def exif(**tags):
    names = {"orientation": 0x0112, "resolution": 0x011A}
    data = Image.Exif()
    for name, value in tags.items():
        data[names[name]] = value
    return data


def by_pillow(path, at_least, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "plain_jpeg", lambda *arguments: None)
        return decode(path, at_least=at_least)


PLAIN = saved(scene(45, 37))
KINDS = {
    "4:2:0": PLAIN,
    "4:2:2": saved(scene(45, 37), subsampling=1),
    "4:4:4": saved(scene(45, 37), subsampling=0, quality=95),
    "RGB": saved(scene(45, 37), keep_rgb=True),
    "grey": saved(scene(45, 37, "L")),
    "progressive": saved(scene(45, 37), progressive=True),
    "restart markers": saved(scene(45, 37), restart_marker_blocks=2),
    "quantization tables of 16 bits": saved(scene(45, 37), qtables=[[300] * 64] * 2),
    "ICC profile": saved(scene(45, 37), icc_profile=bytes(70_000)),
    "comment": saved(scene(45, 37), comment=b"a"),
    "EXIF": saved(scene(45, 37), exif=exif(resolution=72.0)),
    "grey and turned": saved(scene(45, 37, "L"), exif=exif(orientation=8)),
    "one pixel": saved(scene(1, 1)),
    "one row": saved(scene(300, 1)),
    "large": saved(scene(1024, 1024), quality=50),
    "more behind its end": PLAIN + PLAIN + b"more",
}
KINDS |= {f"orientation {i}": saved(scene(45, 37), exif=exif(orientation=i)) for i in range(1, 9)}


@pytest.mark.parametrize("content", KINDS.values(), ids=KINDS.keys())
def test_plain_pixels_are_those_that_pillow_reads(content, tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    for at_least in ENOUGH:
        image = plain_jpeg(content, at_least)
        assert image.mode == "RGB"
        assert np.array_equal(image, by_pillow(path, at_least, monkeypatch)), at_least


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "jfif"])
def test_a_plain_file_never_meets_pillows_parser(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(PLAIN)
    monkeypatch.setattr(module, "_open", None)
    assert decode(path, at_least=(16, 16)).size == (23, 19)


JFIF = PLAIN[:20]
IN_WORDS = b"Exif\0\0MM\0*\0\0\0\x08" + b"\0\1\x01\x1a\0\2\0\0\0\2a\0\0\0" + bytes(4)
OTHERS = {
    "CMYK": saved(scene(45, 37, "CMYK")),
    "several images": JFIF + segment(0xE2, b"MPF\0" + bytes(20)) + PLAIN[20:],
    "XMP": JFIF + segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>") + PLAIN[20:],
    "Photoshop": JFIF + segment(0xED, b"Photoshop 3.0\0") + PLAIN[20:],
    "short JFIF": PLAIN[:2] + segment(0xE0, b"JFIF\0") + PLAIN[20:],
    "EXIF twice": JFIF + 2 * segment(0xE1, exif(orientation=6).tobytes()) + PLAIN[20:],
    "damaged EXIF": JFIF + segment(0xE1, b"Exif\0\0MM") + PLAIN[20:],
    "resolution in words": JFIF + segment(0xE1, IN_WORDS) + PLAIN[20:],
    "bytes before a marker": JFIF + b"\xff" + PLAIN[20:],
    "arithmetic codes": PLAIN.replace(b"\xff\xc0", b"\xff\xc9"),
    "12 bits": PLAIN.replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c"),
    "no pixels": PLAIN.replace(b"\xff\xc0\0\x11\x08\0\x25", b"\xff\xc0\0\x11\x08\0\0"),
    "too many pixels": saved(Image.new("RGB", (1025, 1024))),
    "too many bytes": PLAIN + bytes(MAX_FILE_BYTES),
    "no scan": JFIF + b"\xff\xd9",
    "PNG": b"\x89PNG\r\n\x1a\n",
    "empty": b"",
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS.keys())
def test_everything_else_is_left_to_pillow(content):
    assert plain_jpeg(content) is None


@pytest.mark.parametrize("length", range(0, len(PLAIN) - 2, 31))
def test_a_truncated_file_is_left_to_pillow(length):
    assert plain_jpeg(PLAIN[:length]) is None


@pytest.mark.parametrize("kind", ["4:2:0", "progressive", "grey and turned"])
def test_a_damaged_file_gives_what_pillow_gives(kind, tmp_path, monkeypatch):
    """Any byte may be wrong; both read the same pixels, or refuse the file in the same words."""
    path, content = tmp_path / "a.jpg", KINDS[kind]

    def outcome(read):
        try:
            return read(path, at_least=(16, 16)).tobytes()
        except ImageError as exc:
            return str(exc)

    for place in range(len(content)):
        for value in {0, content[place] ^ 1, 255} - {content[place]}:
            path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
            expected = outcome(lambda path, at_least: by_pillow(path, at_least, monkeypatch))
            assert outcome(decode) == expected, (place, value)
