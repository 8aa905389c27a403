import struct

import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.limits import decoder_bytes_of, ensure_fits_memory
from tests.edge_runtime.inputs.images import saved, tiff


@pytest.mark.parametrize(
    ("mode", "side"),
    [("RGB", 11_600), ("RGBA", 6_700), ("L", 10_400), ("P", 7_800), ("I;16", 6_500)],
)
def test_images_that_would_take_too_much_memory_are_rejected(mode, side):
    image = Image.new("1", (1, 1))
    image._mode, image._size = mode, (side, side)
    with pytest.raises(ImageError, match=r"x would take 5\d\d MiB to decode .*more than 512"):
        ensure_fits_memory(image, "x")
    image._size = (side * 9 // 10, side * 9 // 10)
    ensure_fits_memory(image, "x")


@pytest.mark.parametrize(
    ("extra", "side"), [({"transparency": (0, 0, 0)}, 6_700), ({"exif": True}, 8_200)]
)
def test_copies_for_transparency_and_rotation_count(tmp_path, extra, side):
    if "exif" in extra:
        extra = {"exif": Image.Exif()}
        extra["exif"][0x0112] = 6
    with Image.open(saved(tmp_path, Image.new("RGB", (4, 4)), "small.png", **extra)) as image:
        ensure_fits_memory(image, "x")
        image._size = (side, side)
        with pytest.raises(ImageError, match=r"x would take 51\d MiB to decode"):
            ensure_fits_memory(image, "x")


def test_the_decoder_s_own_buffers_count(tmp_path):
    """A progressive JPEG is held at full size in any case; a tile may be larger than its image."""
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
    tags = {256: 10, 257: 10, 258: 8, 259: 5, 262: 1, 322: 26_000, 323: 26_000, 324: 8, 325: 4}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    tiled = tmp_path / "c.tif"
    tiled.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4))
    with pytest.raises(ImageError, match=r"c\.tif would take 64\d MiB to decode"):
        decode(tiled)


@pytest.mark.parametrize(
    ("width", "bits", "tags"),
    [
        (9_500, (16,) * 3, {}),
        (6_600, (16,) * 4, {338: [2]}),
        (11_000, (8,) * 3, {284: [2]}),
        (5_500, (32,), {339: [3]}),
    ],
)
def test_the_strip_that_libtiff_decodes_at_once_counts(tmp_path, width, bits, tags):
    """Pixels alone would fit."""
    path = tmp_path / "a.tif"
    planes = len(bits) if 284 in tags else 1
    path.write_bytes(tiff(width, width, [b"\0"] * planes, bits, deflate=True, tags=tags))
    size = rf"\({width:,} x {width:,} pixels"
    with pytest.raises(ImageError, match=rf"a\.tif would take \d+ MiB to decode {size}"):
        decode(path)


def test_strips_of_few_rows_take_no_memory_of_their_own(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(9_500, 9_500, [b"\0"], (16,) * 3, deflate=True, tags={278: [16]}))
    with pytest.raises(ImageError, match=r"a\.tif is damaged"):  # the other strips are missing
        decode(path)


def test_the_size_in_the_file_is_named(tmp_path):
    """A large JPEG may be decoded at an eighth of its size."""
    image = Image.new("L", (10, 10)).resize((12_000, 12_000)).convert("RGB")
    path = saved(tmp_path, image, "a.jpg", progressive=True, subsampling=0)
    with pytest.raises(ImageError, match=r"\(12,000 x 12,000 pixels"):
        decode(path, at_least=(64, 64))


def test_decoders_in_python_and_layers_count(tmp_path):
    small = Image.new("RGB", (40, 30))
    for name, least in (("a.qoi", 3 * 3 * 40 * 30), ("a.tif", 0), ("a.png", 0)):
        with Image.open(saved(tmp_path, small, name)) as image:
            assert decoder_bytes_of(image) == least
    layers = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 30, 40, 8, 3) + bytes(14) + bytes(3600)
    (tmp_path / "a.psd").write_bytes(layers)
    with Image.open(tmp_path / "a.psd") as image:  # a layer is read at once, and copied
        assert decoder_bytes_of(image) == 2 * 40 * 30


def test_a_jpeg_of_several_scans_counts_like_a_progressive_one(tmp_path, monkeypatch):
    """Each scan holds one colour, so that all must be kept until the last one."""
    monkeypatch.setattr("edge_runtime.inputs.limits.MAX_BYTES", 1)
    with Image.open(saved(tmp_path, Image.new("RGB", (40, 30)), "a.jpg")) as image:
        assert decoder_bytes_of(image) == 0
        image.fp.seek(0)
        content = bytearray(image.fp.read())
    at = content.index(b"\xff\xda\0\x0c\3") + 4
    content[at] = 1
    path = tmp_path / "b.jpg"
    path.write_bytes(content)
    with Image.open(path) as image:
        assert decoder_bytes_of(image) == 2 * 1.5 * 40 * 30
