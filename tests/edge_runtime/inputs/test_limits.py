import struct

import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.limits import ensure_fits_memory
from tests.edge_runtime.inputs.images import saved


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
