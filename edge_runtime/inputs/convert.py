"""Converting an image of any mode to upright RGB, and RGB pixels to grey."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from edge_runtime.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BACKGROUND = (255, 255, 255)  # shows through transparent pixels
_PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
_ORIENTATION = 0x0112  # EXIF
# What turns an image upright, by its EXIF orientation.
_TURNS: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def upright_rgb(image: Image.Image, name: str) -> Image.Image:
    """Return an image as RGB, turned as its EXIF data says, transparency laid over white.

    Grey of 16 bits, 32 bits or float is scaled to 8 bits.

    Args:
        image: a decoded image of any mode.
        name: name of the image in the error.

    Raises:
        ImageError: grey values exceed 32 bits or are not numbers.
    """
    turn = _TURNS.get(orientation(image))
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image, name)
    if turn is not None:
        image = image.transpose(turn)
    if image.mode in _PREMULTIPLIED:  # Pillow converts these to nothing else
        image = image.convert(_PREMULTIPLIED[image.mode])
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGB", image.size, _BACKGROUND)
        background.paste(image, mask=image)
        return background
    return image if image.mode == "RGB" else image.convert("RGB")


def orientation(image: Image.Image) -> object:
    """Return the orientation that EXIF data gives an image, or 1 if it gives none.

    A PNG whose EXIF data follows its pixels must be decoded: Pillow would decode it here.
    """
    # Only metadata is read here. Damaged EXIF data does not make the pixels unreadable.
    with contextlib.suppress(Exception):
        return image.getexif().get(_ORIENTATION, 1)
    return 1


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luma (ITU-R 601-2) of RGB pixels.

    Args:
        pixels: uint8 (H, W, 3), RGB, 0-255.

    Returns:
        uint8 (H, W, 1), 0-255.
    """
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """Scale grey of more than 8 bits; Pillow's own conversion clips it at 255 instead.

    White is 65,535 in 16 bits, or what a TIFF's bits can hold if they are fewer. No file says what
    white is in 32-bit integers and floats. It is taken to be the smallest of 1 (floats only), 255,
    65,535 and 2^32 - 1 that no pixel exceeds.
    """
    wide = np.asarray(image)
    bits, black_is_zero = 16, True
    if image.format == "TIFF":
        from PIL import TiffImagePlugin as tiff

        tags = image.tag_v2  # type: ignore[attr-defined]
        bits = tags.get(tiff.BITSPERSAMPLE, (16,))[0]
        black_is_zero = tags.get(tiff.PHOTOMETRIC_INTERPRETATION) != 0
        if image.mode == "I" and (bits, tags.get(tiff.SAMPLEFORMAT, (1,))[0]) == (32, 1):
            wide = wide.view(np.uint32)  # Pillow reads them as signed
    if (wide.dtype.kind, wide.dtype.itemsize) == ("u", 2):
        white = 2.0**bits - 1
    elif image.format == "PPM":
        white = 65_535.0  # Pillow has scaled the pixels to this
    else:
        highest = float(np.nanmax(wide))
        limits = [1.0] if np.issubdtype(wide.dtype, np.floating) else []
        limits += [255.0, 65_535.0, 2.0**32 - 1]
        if not highest <= limits[-1]:
            raise ImageError(f"{name} has pixels up to {highest:g}; save it with 8 or 16 bits.")
        white = next(limit for limit in limits if highest <= limit)
    levels = wide.astype(np.float32)
    levels *= np.float32(255 / white)
    np.nan_to_num(levels, copy=False)
    np.clip(np.rint(levels, out=levels), 0, 255, out=levels)
    narrow = levels.astype(np.uint8)
    if not black_is_zero:
        narrow = 255 - narrow
    if isinstance(image.info.get("transparency"), int):  # the grey level that is transparent
        narrow[wide == image.info["transparency"]] = _BACKGROUND[0]
    return Image.fromarray(narrow)
