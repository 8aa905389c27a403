"""The memory that decoding an image may take, bounded before its pixels are decoded."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import ImageError
from edge_runtime.inputs.convert import orientation

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 178_956_970  # Pillow's own limit
MAX_BYTES = 512 << 20  # peak of decoding and converting one image

# Bytes a pixel at the peak of a conversion to RGB: the decoded pixels and their copies, measured
# for each mode. Pillow holds an RGB pixel in 4 bytes. Decoders' own buffers come on top.
_BYTES_PER_PIXEL = {
    "1": 5,
    "L": 5,
    "P": 9,  # a palette may have transparent colours
    "RGB": 4,
    "LA": 12,
    "PA": 12,
    "RGBA": 12,
    "I;16": 13,
    "I;16B": 13,
    "I": 17,
    "F": 17,
}
_OTHER_BYTES_PER_PIXEL = 12
_TURNED_BYTES_PER_PIXEL = 8  # the pixels before and after
_WHOLE_FORMATS = frozenset({"WEBP", "AVIF", "JPEG2000"})  # their libraries hold several copies
_WHOLE_FACTOR = 4
_JPEGS = ("JPEG", "MPO")  # many phones write MPO: several JPEGs in one file
_SAMPLES_PER_PIXEL = {0: 3, 1: 2, 2: 1.5}  # by Pillow's number of 4:4:4, 4:2:2 and 4:2:0
_BYTES_PER_COEFFICIENT = 2
_START_OF_SCAN = 0xDA
# Decoders that Pillow writes in Python build all pixels in a growing buffer, and copy it.
_PYTHON_COPIES = 3


def ensure_fits_memory(
    image: Image.Image,
    name: str,
    decoder_bytes: int = 0,
    *,
    size: tuple[int, int] | None = None,
    loaded: bool = False,
) -> None:
    """Reject an image whose decoding and conversion to RGB would take more than `MAX_BYTES`.

    Args:
        image: an opened image of any mode; its pixels are not needed.
        name: name of the image in the error.
        decoder_bytes: size of the decoder's own buffers, see `decoder_bytes_of`.
        size: width and height in the file, if `image` will be decoded at a smaller size.
        loaded: whether the pixels are decoded, so that a PNG's EXIF data is known for certain.

    Raises:
        ImageError: it would take more.
    """
    each = _BYTES_PER_PIXEL.get(image.mode, _OTHER_BYTES_PER_PIXEL)
    if "transparency" in image.info:  # a transparent colour adds an alpha channel
        each = max(each, _OTHER_BYTES_PER_PIXEL)
    needed = _needed(image, decoder_bytes, each)
    turned = _needed(image, decoder_bytes, max(each, _TURNED_BYTES_PER_PIXEL))
    # Asking a PNG whose EXIF data was not met yet would decode all its pixels.
    known = image.format != "PNG" or loaded or "exif" in image.info
    if turned > MAX_BYTES and known and orientation(image) != 1:
        needed = turned
    if needed > MAX_BYTES:
        width, height = size or image.size
        raise ImageError(
            f"{name} would take {needed >> 20:,} MiB to decode ({width:,} x {height:,} pixels, "
            f"{image.mode}), more than {MAX_BYTES >> 20}; shrink the image first."
        )


def _needed(image: Image.Image, decoder_bytes: int, each: int) -> int:
    """Return the peak in bytes if a pixel takes `each` of them."""
    needed = decoder_bytes + image.width * image.height * each
    return needed * _WHOLE_FACTOR if image.format in _WHOLE_FORMATS else needed


def decoder_bytes_of(image: Image.Image) -> int:
    """Return an upper bound of the buffers that a decoder needs at full size.

    `PIL.Image.Image.draft`, which decodes a JPEG at reduced size, does not shrink them.
    """
    from PIL.Image import DECODERS

    pixels = image.width * image.height
    if image.format in _JPEGS:
        return _jpeg_bytes(image)
    tiles: list[Any] = getattr(image, "tile", [])
    if not tiles:
        return 0
    if tiles[0][0] == "libtiff":
        return _libtiff_bytes(image)
    sample = 4 if image.mode in ("I", "F") else 1
    if tiles[0][0] in DECODERS:
        return _PYTHON_COPIES * sample * len(image.getbands()) * pixels
    if tiles[0][0] == "sgi_rle":  # reads the whole file
        return _file_bytes(image)
    # Pillow reads all until the next tile at once, and appends it to another buffer.
    starts = sorted(tile[2] for tile in tiles)
    longest = max((b - a for a, b in pairwise(starts)), default=0)
    return 2 * min(longest, _file_bytes(image)) if longest > 0 else 0


def _jpeg_bytes(image: Any) -> int:
    from PIL import JpegImagePlugin

    # A decoder of several scans keeps all coefficients: each scan refines them or adds a colour.
    samples = _SAMPLES_PER_PIXEL.get(JpegImagePlugin.get_sampling(image), len(image.getbands()))
    needed = round(_BYTES_PER_COEFFICIENT * samples * image.width * image.height)
    several = image.info.get("progressive") or (
        # Looking at the file takes time that only a large image is worth.
        needed > MAX_BYTES // 2 and _first_scan_is_not_all(image)
    )
    return needed if several else 0


def _first_scan_is_not_all(image: Any) -> bool:
    """Return whether a JPEG's first scan lacks colours, so that others follow."""
    position = image.fp.tell()
    image.fp.seek(2)
    bands = len(image.getbands())
    found = bands
    while len(header := image.fp.read(4)) == 4 and header[0] == 0xFF:
        if header[1] == _START_OF_SCAN:
            found = image.fp.read(1)[0]
            break
        image.fp.seek(max(0, int.from_bytes(header[2:], "big") - 2), 1)
    image.fp.seek(position)
    return found < bands


def _libtiff_bytes(image: Any) -> int:
    """Return the size of the strip or tile that libtiff decodes at once, which may be the image."""
    from PIL import TiffImagePlugin as tiff

    tags = image.tag_v2
    width, height = image._tile_size
    if tiff.TILEWIDTH in tags:
        across, down = int(tags[tiff.TILEWIDTH]), int(tags.get(tiff.TILELENGTH, 0))
    else:
        across, down = width, min(int(tags.get(tiff.ROWSPERSTRIP, height)), height)
    bits = tags.get(tiff.BITSPERSAMPLE, (1,))
    samples = int(tags.get(tiff.SAMPLESPERPIXEL, 1))
    separate = tags.get(tiff.PLANAR_CONFIGURATION) == 2
    each = max(bits) if separate else max(sum(bits), max(bits) * samples)
    if tags.get(tiff.PHOTOMETRIC_INTERPRETATION) == 6:  # YCbCr: converted to RGBA in between
        each += 32
    return int(across * down * each) // 8


def _file_bytes(image: Any) -> int:
    position = image.fp.tell()
    size: int = image.fp.seek(0, 2)
    image.fp.seek(position)
    return size
