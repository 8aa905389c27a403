"""The memory that decoding an image may take, bounded before its pixels are decoded."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from edge_runtime.errors import ImageError

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
_ORIENTATION = 0x0112  # EXIF
_WHOLE_FORMATS = frozenset({"WEBP", "AVIF", "JPEG2000"})  # their libraries hold several copies
_WHOLE_FACTOR = 4
_JPEGS = ("JPEG", "MPO")  # many phones write MPO: several JPEGs in one file
_SAMPLES_PER_PIXEL = {0: 3, 1: 2, 2: 1.5}  # by Pillow's number of 4:4:4, 4:2:2 and 4:2:0
_MOST_BYTES_PER_TILE_PIXEL = 8  # four bands of 16 bits


def ensure_fits_memory(
    image: Image.Image, name: str, decoder_bytes: int = 0, *, loaded: bool = False
) -> None:
    """Reject an image whose decoding and conversion to RGB would take more than `MAX_BYTES`.

    Args:
        image: an opened image of any mode; its pixels are not needed.
        name: name of the image in the error.
        decoder_bytes: size of the decoder's own buffers, see `decoder_bytes_of`.
        loaded: whether the pixels are decoded, so that a PNG's EXIF data is known for certain.

    Raises:
        ImageError: it would take more.
    """
    pixels = image.width * image.height
    each = _BYTES_PER_PIXEL.get(image.mode, _OTHER_BYTES_PER_PIXEL)
    if "transparency" in image.info:  # a transparent colour adds an alpha channel
        each = max(each, _OTHER_BYTES_PER_PIXEL)
    with contextlib.suppress(Exception):  # EXIF data may be damaged
        # Asking a PNG whose EXIF data was not met yet would decode all its pixels.
        known = image.format != "PNG" or loaded or "exif" in image.info
        if known and image.getexif().get(_ORIENTATION, 1) != 1:
            each = max(each, _TURNED_BYTES_PER_PIXEL)
    needed = decoder_bytes + pixels * each
    if image.format in _WHOLE_FORMATS:
        needed *= _WHOLE_FACTOR
    if needed > MAX_BYTES:
        raise ImageError(
            f"{name} would take {needed >> 20:,} MiB to decode ({image.width:,} x "
            f"{image.height:,} pixels, {image.mode}), more than {MAX_BYTES >> 20}; "
            f"shrink the image first."
        )


def decoder_bytes_of(image: Image.Image) -> int:
    """Return an upper bound of the buffers that a decoder needs at full size.

    `PIL.Image.Image.draft`, which decodes a JPEG at reduced size, does not shrink them.
    """
    if image.format in _JPEGS and image.info.get("progressive"):
        from PIL import JpegImagePlugin

        # A progressive decoder keeps all coefficients, 2 bytes each, because every scan refines
        # them.
        samples = _SAMPLES_PER_PIXEL.get(JpegImagePlugin.get_sampling(image), len(image.getbands()))
        return round(2 * samples * image.width * image.height)
    if image.format == "TIFF":  # a tile may be larger than the image
        from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH

        tags = image.tag_v2  # type: ignore[attr-defined]
        tile = int(tags.get(TILEWIDTH, 0)) * int(tags.get(TILELENGTH, 0))
        return tile * _MOST_BYTES_PER_TILE_PIXEL
    return 0
