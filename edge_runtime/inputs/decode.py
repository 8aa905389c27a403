"""Opening and decoding image files with Pillow.

Owns which formats are read and what is said of files that cannot be. To add a format, add its
suffixes and Pillow's name of it to `_BY_SUFFIX`. `edge_runtime.inputs.limits` bounds the memory of
decoders, and `edge_runtime.inputs.layouts` corrects what Pillow reads wrongly.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import stat
import warnings
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import PIL
from PIL import Image, UnidentifiedImageError

from edge_runtime.errors import ImageError
from edge_runtime.inputs.convert import upright_rgb
from edge_runtime.inputs.limits import MAX_PIXELS, decoder_bytes_of, ensure_fits_memory
from edge_runtime.inputs.plain_jpeg import MAX_FILE_BYTES as MAX_JPEG_BYTES
from edge_runtime.inputs.plain_jpeg import plain_jpeg
from edge_runtime.inputs.plain_png import MAX_FILE_BYTES as MAX_PNG_BYTES
from edge_runtime.inputs.plain_png import plain_png

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pillow logs some kinds of damage, and Python prints log records that have no handler.
logging.getLogger("PIL").addHandler(logging.NullHandler())

# Pillow hands EPS to another program, and its WMF parser is not made for untrusted files.
_REFUSED_FORMATS = {"EPS": "Encapsulated PostScript", "WMF": "Windows Metafile"}
_AVIF = ("AVIF",) if tuple(map(int, PIL.__version__.split(".")[:2])) >= (11, 3) else ()
# Pillow imports every plugin (15 ms) if the loaded ones fail, so try these, or the one for the
# suffix, first.
_LOADED = ("BMP", "GIF", "JPEG", "PPM", "PNG")
# Without ICO and ICNS: their plugins decode a file when they open it, before its size is checked.
_BY_SUFFIX = {
    **dict.fromkeys((".bmp",), ("BMP",)),
    **dict.fromkeys((".gif",), ("GIF",)),
    **dict.fromkeys((".jpeg", ".jpg", ".jpe", ".jfif", ".jif", ".mpo"), ("JPEG",)),
    **dict.fromkeys((".png", ".apng"), ("PNG",)),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm", ".pfm"), ("PPM",)),
    **dict.fromkeys((".tif", ".tiff"), ("TIFF",)),
    **dict.fromkeys((".webp",), ("WEBP",)),
    **dict.fromkeys((".avif", ".avifs"), _AVIF),
    **dict.fromkeys((".jp2", ".j2k", ".j2c", ".jpc", ".jpf", ".jpx"), ("JPEG2000",)),
    **dict.fromkeys((".dib",), ("DIB",)),
    **dict.fromkeys((".dds",), ("DDS",)),
    **dict.fromkeys((".pcx",), ("PCX",)),
    **dict.fromkeys((".psd",), ("PSD",)),
    **dict.fromkeys((".qoi",), ("QOI",)),
    **dict.fromkeys((".sgi", ".rgb", ".rgba", ".bw"), ("SGI",)),
    **dict.fromkeys((".tga", ".icb", ".vda", ".vst"), ("TGA",)),  # last: it has no signature
}
SUFFIXES = frozenset(_BY_SUFFIX)
# Files of at most so many bytes may be plain, and are read at once.
_MAX_PLAIN_BYTES = {"PNG": MAX_PNG_BYTES, "JPEG": MAX_JPEG_BYTES}
_FORMATS = (*dict.fromkeys(chain.from_iterable(_BY_SUFFIX.values())), *_REFUSED_FORMATS)
_SIGNATURES: dict[str, bytes | tuple[bytes, ...]] = {
    "PNG": b"\x89PNG",
    "JPEG": b"\xff\xd8",
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "DDS": b"DDS ",
    "PSD": b"8BPS",
}
_START_BYTES = 64
_HEIC = "HEIC"
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis"})
# Some of their layouts Pillow reads wrongly. The others' cost no import of what corrects them.
_MISREAD = frozenset({"TIFF", "BMP", "DIB", "JPEG2000", "PSD", "SGI", "TGA"})


class _WithoutWarnings:
    """Drops Pillow's warnings about odd files, which it reads all the same; its hard limit stays.

    Entering it takes as long as a tenth of decoding a small image, unless it was entered before.

    `warnings.catch_warnings` alone fails if threads overlap: the last one to leave would restore
    the filters of another one.
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
        """Reset the state in a child, which has none of its parent's threads."""
        self._lock = Lock()
        if self._inside:
            self._inside = 0
            self._caught.__exit__(None, None, None)


without_warnings = _WithoutWarnings()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=without_warnings.after_fork)


def load_image(path: str | Path) -> NDArray[np.uint8]:
    """Decode an image file at full size.

    EXIF rotation is applied and transparency is laid over white. Grey of 16 bits, 32 bits or float
    is scaled to 8 bits. An animation gives its first frame.

    Returns:
        uint8 (H, W, 3), RGB, 0-255.

    Raises:
        ImageError: the file is missing, damaged, not an image, or too large to decode.
    """
    return np.asarray(decode(path))


def decode(
    source: str | Path | BinaryIO | Image.Image,
    *,
    at_least: tuple[int, int] | None = None,
    name: str = "",
) -> Image.Image:
    """Decode an image file to upright RGB.

    EXIF rotation is applied and transparency is laid over white. Grey of 16 bits, 32 bits or float
    is scaled to 8 bits. An animation gives its first frame.

    Args:
        source: path of a file, an open binary file, or an image of Pillow, which stays as it is.
        at_least: height and width in pixels that suffice. To save time, a JPEG is decoded at a
            half, a quarter or an eighth of its size if that is still as large.
        name: name of the image in errors; by default its path.

    Raises:
        ImageError: the file is missing, damaged or not an image, or it would take more than
            `limits.MAX_PIXELS` pixels or `limits.MAX_BYTES` bytes.
    """
    if isinstance(source, Image.Image):
        name = name or getattr(source, "filename", "") or "the image"
    name = name or str(source)
    path = source if isinstance(source, (str, Path)) else None
    suffix = ""
    try:
        with without_warnings:
            if isinstance(source, Image.Image):
                return upright_rgb(source.copy(), name)
            if isinstance(source, (str, Path)):
                suffix = os.path.splitext(source)[1].lower()  # noqa: PTH122
                kind = next(iter(_BY_SUFFIX.get(suffix, ())), "")
                if _regular_bytes(source, name) <= _MAX_PLAIN_BYTES.get(kind, -1):
                    with open(source, "rb") as stream:  # noqa: PTH123
                        content = stream.read()
                    plain = plain_png(content) if kind == "PNG" else plain_jpeg(content, at_least)
                    if plain is not None:
                        return plain
                    source = io.BytesIO(content)
            elif not source.seekable():
                source = io.BytesIO(source.read())  # because it may be opened twice
            with _open(source, suffix) as image:
                _ensure_readable(image, name)
                if image.format in _MISREAD:
                    from edge_runtime.inputs.layouts import mend

                    mend(image, name)
                return _decoded(image, name, source, at_least)
    except ImageError:
        raise
    except FileNotFoundError as exc:
        raise ImageError(f"There is no file {name}; check the name.") from exc
    except PermissionError as exc:
        raise ImageError(f"{name} may not be read; check its permissions.") from exc
    except UnidentifiedImageError as exc:
        if path is not None and not Path(path).stat().st_size:
            what = "empty"
        elif not isinstance(source, Image.Image) and (format_ := _format_of(source)):
            if format_ == _HEIC:
                raise ImageError(f"{name} is {_HEIC}, which is not read; save it as JPEG.") from exc
            what = f"a {format_} of a kind that is not supported, or damaged"
        else:
            what = "not an image of a known format"
        raise ImageError(f"{name} is {what}; expected a PNG, JPEG or similar file.") from exc
    except Image.DecompressionBombError as exc:
        raise ImageError(
            f"{name} has more than {MAX_PIXELS:,} pixels; shrink the image first."
        ) from exc
    except Exception as exc:  # on damaged files Pillow's decoders raise almost any type
        if isinstance(exc, OSError) and exc.errno is not None:  # from the operating system
            raise ImageError(f"{name} cannot be read ({exc.strerror}); check the name.") from exc
        raise ImageError(
            f"{name} is damaged ({str(exc) or type(exc).__name__}); save the image again."
        ) from exc


def _regular_bytes(path: str | Path, name: str) -> int:
    """Return the size of a regular file; reject all others, some of which cannot be read twice."""
    status = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat
    mode = status.st_mode
    if stat.S_ISDIR(mode):
        raise ImageError(f"{name} is a directory; expected an image file.")
    if not stat.S_ISREG(mode):
        raise ImageError(
            f"{name} is not a regular file; expected an image file, or pass it on standard input "
            f"and name it `-`."
        )
    return status.st_size


def _decoded(
    image: Image.Image,
    name: str,
    source: str | Path | BinaryIO,
    at_least: tuple[int, int] | None,
) -> Image.Image:
    """Decode an opened image to upright RGB.

    `load` is called here and nowhere else. Some decoders of Pillow raise when a damaged image is
    loaded, and give what they have, mostly black, when it is loaded again.
    """
    size, decoder_bytes = image.size, decoder_bytes_of(image)
    if at_least is not None:
        longest = max(at_least)  # the image may be turned later
        image.draft("RGB", (longest, longest))
    ensure_fits_memory(image, name, decoder_bytes, size=size)
    if image.format != "PNG":
        image.load()
        return upright_rgb(image, name)
    transparent, tiles = "transparency" in image.info, getattr(image, "tile", [])
    image.load()
    # EXIF data, and so the rotation, may follow a PNG's pixels.
    ensure_fits_memory(image, name, decoder_bytes, loaded=True)
    if transparent:
        from edge_runtime.inputs.layouts import show_transparency

        show_transparency(image, tiles, source)
    else:
        image.info.pop("transparency", None)  # behind the pixels it has no meaning
    return upright_rgb(image, name)


def _open(source: str | Path | BinaryIO, suffix: str) -> Image.Image:
    """Open an image, importing only the plugins of Pillow that are needed for it.

    Args:
        source: path of a file, or an open binary file.
        suffix: of the file's name, in lower case; empty if it has none.
    """
    with contextlib.suppress(UnidentifiedImageError):
        return Image.open(source, formats=_BY_SUFFIX.get(suffix) or _LOADED)
    return Image.open(source, formats=_FORMATS)


def _format_of(source: str | Path | BinaryIO) -> str:
    """Return the format that a file's first bytes are of, or an empty string."""
    if isinstance(source, (str, Path)):
        with open(source, "rb") as stream:  # noqa: PTH123
            start = stream.read(_START_BYTES)
    else:
        source.seek(0)
        start = source.read(_START_BYTES)
    if start[4:8] == b"ftyp":  # its box lists the brands of ISO/IEC 14496-12
        box = start[: int.from_bytes(start[:4], "big")]
        if not _HEIC_BRANDS.isdisjoint(box[at : at + 4] for at in range(8, len(box), 4)):
            return _HEIC
    return next(
        (name for name, signature in _SIGNATURES.items() if start.startswith(signature)), ""
    )


def _ensure_readable(image: Image.Image, name: str) -> None:
    if image.format in _REFUSED_FORMATS:
        raise ImageError(
            f"{name} is {_REFUSED_FORMATS[image.format]}, which is not supported; save it as PNG."
        )
    if min(image.size) < 1:
        raise ImageError(f"{name} has no pixels; save the image again.")
