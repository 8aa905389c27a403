"""Any image in, upright RGB pixels of the model's size out.

Owns decoding, colour conversion and resizing; imports Pillow and numpy. Scaling to the numbers a
model wants is `edge_runtime.inference.quantization`'s.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import stat
import warnings
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import PIL
from PIL import Image, ImageOps, UnidentifiedImageError

from edge_runtime.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pillow reports some damage to its logger as well, which without a handler prints it.
logging.getLogger("PIL").addHandler(logging.NullHandler())

FITS = ("crop", "stretch", "pad")
MAX_PIXELS = 178_956_970  # Pillow's own limit
MAX_BYTES = 512 << 20  # what decoding and converting one image may take at its peak
_BACKGROUND = (255, 255, 255)  # shows through transparent pixels
_PADDING = (0, 0, 0)

# Bytes a pixel while an image is turned into RGB, which Pillow keeps in 4: the decoded pixels,
# then copies. Measured for each mode; what decodes a format as a whole has buffers of its own.
_BYTES_PER_PIXEL = {
    "1": 5,
    "L": 5,
    "P": 9,  # a palette may hold transparent colours
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
_ORIENTATION = 0x0112  # EXIF
_WHOLE_FORMATS = frozenset({"WEBP", "AVIF", "JPEG2000"})
_WHOLE_FACTOR = 4
_JPEGS = ("JPEG", "MPO")  # the second is what many phones write: several in a row
_SAMPLES_PER_PIXEL = {0: 3, 1: 2, 2: 1.5}  # of a JPEG with 4:4:4, 4:2:2 and 4:2:0
_MOST_BYTES_PER_TILE_PIXEL = 8  # four bands of 16 bits
# Pillow hands these to another program, or its own parsers are not meant for strangers' files.
_REFUSED_FORMATS = {"EPS": "Encapsulated PostScript", "WMF": "Windows Metafile"}
# Pillow imports all its plugins, which takes 15 ms, where it is to try one that it has not yet. It
# has these, and where a file's suffix is one of those, that one.
_AT_HAND = ("BMP", "GIF", "JPEG", "PPM", "PNG")
_BY_SUFFIX = {
    ".bmp": ("BMP",),
    ".gif": ("GIF",),
    ".jpeg": ("JPEG",),
    ".jpg": ("JPEG",),
    ".png": ("PNG",),
    ".ppm": ("PPM",),
    ".pgm": ("PPM",),
    ".tif": ("TIFF",),
    ".tiff": ("TIFF",),
    ".webp": ("WEBP",),
}
# Pillow's plugins for icons decode what they open, before its size can be looked at.
_FORMATS = (
    *(*_AT_HAND, "WEBP", "TIFF", "JPEG2000"),
    *(["AVIF"] if tuple(map(int, PIL.__version__.split(".")[:2])) >= (11, 3) else []),
    *("DIB", "DDS", "PCX", "PSD", "QOI", "SGI", *_REFUSED_FORMATS, "TGA"),
)


SUFFIXES = frozenset(_BY_SUFFIX)


class _WithoutWarnings:
    """Drops what Pillow warns of odd files, which it reads all the same; its hard limit stays.

    `warnings.catch_warnings` alone is not for threads that overlap: the last to leave would give
    back the filters that it found, which are another's.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *exc: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._caught.__exit__(None, None, None)

    def after_fork(self) -> None:
        """In a child whose parent's threads were inside, be as if nobody was."""
        self._lock = Lock()
        if self._inside:
            self._inside = 0
            self._caught.__exit__(None, None, None)


_without_warnings = _WithoutWarnings()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_without_warnings.after_fork)


def load_image(path: str | Path) -> NDArray[np.uint8]:
    """Decode an image file at full size, see `decode`.

    Returns:
        uint8 (H, W, 3), RGB, 0-255.

    Raises:
        ImageError: as `decode`.
    """
    return np.asarray(decode(path))


def decode(
    source: str | Path | BinaryIO, *, at_least: tuple[int, int] | None = None, name: str = ""
) -> Image.Image:
    """Decode an image file to upright RGB.

    EXIF rotation is applied, transparency laid over white; 16-bit, 32-bit and float grey is scaled
    to 8 bits; of an animation the first frame is taken.

    Args:
        source: a file's path, or its content to read from.
        at_least: height and width below which a JPEG need not be decoded; it then comes at a half,
            a quarter or an eighth of its size, which its format gives almost for free.
        name: what errors call a `source` that has no path.

    Raises:
        ImageError: no such file, no image, a damaged one, or one that would take more than
            `MAX_PIXELS` pixels or `MAX_BYTES` bytes.
    """
    name = name or str(source)
    path = Path(source) if isinstance(source, (str, Path)) else None
    try:
        with _without_warnings:
            mode = path.stat().st_mode if path else stat.S_IFREG
            if not stat.S_ISREG(mode):
                if stat.S_ISDIR(mode):
                    raise ImageError(f"{name} is a directory; expected an image file.")
                raise ImageError(
                    f"{name} is no regular file; expected an image file, or pass it on standard "
                    f"input and name it `-`."
                )
            with _open(source) as image:
                _check(image, name)
                held = _held_whole(image)
                if at_least is not None:
                    longest = max(at_least)  # the image may yet be turned
                    image.draft("RGB", (longest, longest))
                _check_size(image, name, held)
                if image.format == "PNG":
                    # It may say behind its pixels only how it is to be turned.
                    image.load()
                    _check_size(image, name, held, loaded=True)
                return _upright_rgb(image, name)
    except ImageError:
        raise
    except FileNotFoundError as exc:
        raise ImageError(f"There is no file {name}; check the name.") from exc
    except PermissionError as exc:
        raise ImageError(f"{name} may not be read; check its permissions.") from exc
    except UnidentifiedImageError as exc:
        what = "empty" if path and not path.stat().st_size else "not an image of a known format"
        raise ImageError(f"{name} is {what}; expected a PNG, JPEG or similar file.") from exc
    except Image.DecompressionBombError as exc:
        raise ImageError(
            f"{name} has more than {MAX_PIXELS:,} pixels; shrink the image first."
        ) from exc
    except Exception as exc:  # on damaged files Pillow's decoders raise almost any type
        if isinstance(exc, OSError) and exc.errno is not None:  # the system's
            raise ImageError(f"{name} cannot be read ({exc.strerror}); check the name.") from exc
        raise ImageError(
            f"{name} is damaged ({str(exc) or type(exc).__name__}); save the image again."
        ) from exc


def fit(image: Image.Image, height: int, width: int, how: str = "crop") -> NDArray[np.uint8]:
    """Resize to the model's size, antialiased bicubic.

    Args:
        image: RGB.
        how: `crop` keeps the largest centred part with the target's shape, `stretch` all of it and
            not its shape, `pad` all of it and fills the rest with black.

    Returns:
        uint8 (height, width, 3), RGB, 0-255; the very pixels where the image has this size already.
    """
    if image.size == (width, height):
        return np.asarray(image)
    bicubic = Image.Resampling.BICUBIC  # in Pillow, unlike OpenCV and MediaPipe, antialiased
    if how == "stretch":
        return np.asarray(image.resize((width, height), bicubic))
    if how == "pad":
        scale = min(height / image.height, width / image.width)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        padded = Image.new("RGB", (width, height), _PADDING)
        place = ((width - inner[0]) // 2, (height - inner[1]) // 2)
        padded.paste(image.resize(inner, bicubic), place)
        return np.asarray(padded)
    scale = min(image.height / height, image.width / width)
    # Rounding must not put the box a hair outside the image, which Pillow refuses.
    left = max(0.0, (image.width - scale * width) / 2)
    top = max(0.0, (image.height - scale * height) / 2)
    right = min(float(image.width), left + scale * width)
    bottom = min(float(image.height), top + scale * height)
    return np.asarray(image.resize((width, height), bicubic, box=(left, top, right, bottom)))


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luma of RGB pixels (ITU-R 601-2), uint8 (H, W, 1), 0-255."""
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., np.newaxis]


def _open(source: str | Path | BinaryIO) -> Image.Image:
    """Open an image without importing more of Pillow than that takes."""
    suffix = ""
    if isinstance(source, (str, Path)):
        suffix = os.path.splitext(source)[1].lower()  # noqa: PTH122
    elif not source.seekable():
        source = io.BytesIO(source.read())  # for a second look
    with contextlib.suppress(UnidentifiedImageError):
        return Image.open(source, formats=_BY_SUFFIX.get(suffix, _AT_HAND))
    return Image.open(source, formats=_FORMATS)


def _check(image: Image.Image, name: str) -> None:
    if image.format in _REFUSED_FORMATS:
        raise ImageError(
            f"{name} is {_REFUSED_FORMATS[image.format]}, which is not read; save it as PNG."
        )
    if min(image.size) < 1:
        raise ImageError(f"{name} has no pixels; save the image again.")


def _held_whole(image: Image.Image) -> int:
    """Bound the bytes of a decoder's own buffers, which `draft` does not make smaller."""
    if image.format in _JPEGS and image.info.get("progressive"):
        from PIL import JpegImagePlugin

        # Coefficients of 2 bytes, all of them, since every scan refines them.
        samples = _SAMPLES_PER_PIXEL.get(JpegImagePlugin.get_sampling(image), len(image.getbands()))
        return round(2 * samples * image.width * image.height)
    if image.format == "TIFF":  # a tile may be larger than the image
        from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH

        tags = image.tag_v2  # type: ignore[attr-defined]
        tile = int(tags.get(TILEWIDTH, 0)) * int(tags.get(TILELENGTH, 0))
        return tile * _MOST_BYTES_PER_TILE_PIXEL
    return 0


def _check_size(image: Image.Image, name: str, held: int, *, loaded: bool = False) -> None:
    pixels = image.width * image.height
    each = _BYTES_PER_PIXEL.get(image.mode, _OTHER_BYTES_PER_PIXEL)
    if "transparency" in image.info:  # a colour that is to be seen through
        each = max(each, _OTHER_BYTES_PER_PIXEL)
    with contextlib.suppress(Exception):  # as odd metadata
        # A PNG that has not said it yet would be decoded to look behind its pixels.
        known = image.format != "PNG" or loaded or "exif" in image.info
        if known and image.getexif().get(_ORIENTATION, 1) != 1:  # what is turned is held twice
            each = max(each, 8)
    needed = held + pixels * each
    if image.format in _WHOLE_FORMATS:
        needed *= _WHOLE_FACTOR
    if needed > MAX_BYTES:
        raise ImageError(
            f"{name} would take {needed >> 20:,} MiB to decode ({image.width:,} x "
            f"{image.height:,} pixels, {image.mode}), more than {MAX_BYTES >> 20}; "
            f"shrink the image first."
        )


def _upright_rgb(image: Image.Image, name: str) -> Image.Image:
    with contextlib.suppress(Exception):  # odd metadata does not make the pixels unreadable
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image, name)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGB", image.size, _BACKGROUND)
        background.paste(image, mask=image)
        return background
    if image.mode != "RGB":
        return image.convert("RGB")
    image.load()  # while the file is open
    return image


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """Scale grey of more than 8 bits; Pillow's own conversion clips at 255 instead.

    16 bits go to 65,535, and of a TIFF fewer to what they hold. Of 32-bit integers and floats no
    file says where white is: it is the least of 1 (floats only), 255, 65,535 and 2^32 - 1 that no
    pixel exceeds.
    """
    wide = np.asarray(image)
    bits, black_is_zero = 16, True
    if image.format == "TIFF":
        from PIL import TiffImagePlugin as tiff

        tags = image.tag_v2  # type: ignore[attr-defined]
        bits = tags.get(tiff.BITSPERSAMPLE, (16,))[0]
        black_is_zero = tags.get(tiff.PHOTOMETRIC_INTERPRETATION) != 0
        if image.mode == "I" and (bits, tags.get(tiff.SAMPLEFORMAT, (1,))[0]) == (32, 1):
            wide = wide.view(np.uint32)  # in Pillow they have a sign
    if (wide.dtype.kind, wide.dtype.itemsize) == ("u", 2):
        white = 2.0**bits - 1
    elif image.format == "PPM":
        white = 65_535.0  # to which Pillow has scaled it
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
    grey = levels.astype(np.uint8)
    if not black_is_zero:
        grey = 255 - grey
    if isinstance(image.info.get("transparency"), int):  # the level that is to be seen through
        grey[wide == image.info["transparency"]] = _BACKGROUND[0]
    return Image.fromarray(grey)
