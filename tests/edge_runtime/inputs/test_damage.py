"""No image is accepted that plain Pillow refuses to load."""

import itertools
import random
import warnings

import pytest
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import decode
from tests.conftest import run
from tests.edge_runtime.inputs.images import variants

VARIANTS = variants()


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return a file with its end cut off, bits flipped, or a run of bytes overwritten."""
    data = bytearray(content)
    kind = chance.randrange(3)
    if kind == 0:
        del data[chance.randrange(len(data) // 20, len(data)) :]
    elif kind == 1:
        for _ in range(chance.randrange(1, 6)):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    else:
        start = chance.randrange(len(data) // 8, len(data))
        data[start : start + 40] = bytes([chance.randrange(256)]) * len(data[start : start + 40])
    return bytes(data)


def pillow_loads(path) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                image.load()
    except Exception:  # on damaged files Pillow raises almost any type
        return False
    return True


def compare(folder, files: int) -> None:
    """Damage files of all variants in turn, and compare what reads them."""
    chance = random.Random(1)
    accepted, refused = [], 0
    for number, (name, (suffix, content)) in zip(
        range(files), itertools.cycle(VARIANTS.items()), strict=False
    ):
        path = folder / f"damaged{suffix}"
        path.write_bytes(damaged(content, chance))
        if pillow_loads(path):
            continue
        refused += 1
        for at_least in (None, (8, 8)):
            try:
                decode(path, at_least=at_least)
            except ImageError as exc:
                assert path.name in str(exc)
            else:
                accepted.append((number, name, at_least))
    assert refused > files // 8
    assert accepted == []


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_read_undamaged(tmp_path, name):
    suffix, content = VARIANTS[name]
    path = tmp_path / f"whole{suffix}"
    path.write_bytes(content)
    assert decode(path).size == (60, 40)


def test_damaged_files_that_pillow_refuses_are_refused(tmp_path):
    compare(tmp_path, 8 * len(VARIANTS))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_5000_damaged_files_that_pillow_refuses_are_refused(tmp_path):
    compare(tmp_path, 5000)


@pytest.mark.parametrize(
    ("name", "start", "stop"),
    [
        ("JPEG2000", 400, None),  # cut off
        ("TIFF tiff_adobe_deflate", 60, 64),
        ("TIFF tiff_lzw", 60, 100),
        ("TGA run lengths", 18, 60),
        ("GIF", 800, 840),
        ("PCX", 300, 340),
    ],
)
def test_a_damaged_image_is_not_classified_as_black(tmp_path, name, start, stop):
    suffix, content = VARIANTS[name]
    path = tmp_path / f"bad{suffix}"
    behind = b"\xff" * (stop - start) + content[stop:] if stop else b""
    path.write_bytes(content[:start] + behind)
    assert not pillow_loads(path)
    with pytest.raises(ImageError, match=rf"bad\{suffix} is damaged"):
        decode(path)


def test_the_command_says_which_image_is_damaged(tmp_path):
    path = tmp_path / "bad.jp2"
    path.write_bytes(VARIANTS["JPEG2000"][1][:400])
    result = run("edge-classify", path)
    assert (result.returncode, result.stdout) == (1, "")
    assert "bad.jp2 is damaged" in result.stderr
    assert len(result.stderr.splitlines()) == 1
