"""Any image file in, upright RGB pixels of the model's size out.

Owns decoding, colour conversion and resizing; imports Pillow and numpy. Scaling to the numbers a
model wants is `edge_runtime.quantization`'s.
"""

from __future__ import annotations

import contextlib
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from edge_runtime.errors import ImageError

SUFFIXES = frozenset(
    {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
)
MAX_PIXELS = 178_956_970  # Pillow's own limit: 512 MiB of RGB
_BACKGROUND = (255, 255, 255)  # shows through transparent pixels


def load_image(path: str | Path) -> NDArray[np.uint8]:
    """Decode an image file at full size, see `decode`.

    Returns:
        uint8 (H, W, 3), RGB, 0-255.

    Raises:
        ImageError: as `decode`.
    """
    return np.asarray(decode(path))


def decode(path: str | Path) -> Image.Image:
    """Decode an image file to upright RGB.

    EXIF rotation is applied, transparency laid over white, 16-bit grey scaled to 8 bits; of an
    animation the first frame is taken.

    Raises:
        ImageError: no such file, no image, a damaged one, or more than `MAX_PIXELS` pixels.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            # Pillow warns of odd files that it reads all the same; its hard limit stays.
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                return _upright_rgb(image)
    except FileNotFoundError as exc:
        raise ImageError(f"There is no file {path}; check the name.") from exc
    except IsADirectoryError as exc:
        raise ImageError(f"{path} is a directory; expected an image file.") from exc
    except PermissionError as exc:
        raise ImageError(f"{path} may not be read; check its permissions.") from exc
    except UnidentifiedImageError as exc:
        what = "not an image of a known format" if path.stat().st_size else "empty"
        raise ImageError(f"{path} is {what}; expected a PNG, JPEG or similar file.") from exc
    except Image.DecompressionBombError as exc:
        raise ImageError(
            f"{path} has more than {MAX_PIXELS:,} pixels; shrink the image first."
        ) from exc
    except Exception as exc:  # on damaged files Pillow's decoders raise almost any type
        raise ImageError(
            f"{path} is damaged ({str(exc) or type(exc).__name__}); save the image again."
        ) from exc


def fit(image: Image.Image, height: int, width: int) -> NDArray[np.uint8]:
    """Cut the largest centred part with the target's shape and resize it, antialiased bicubic.

    Args:
        image: RGB.

    Returns:
        uint8 (height, width, 3), RGB, 0-255; the very pixels where the image has this size already.
    """
    if image.size == (width, height):
        return np.asarray(image)
    scale = min(image.height / height, image.width / width)
    # Rounding must not put the box a hair outside the image, which Pillow refuses.
    left = max(0.0, (image.width - scale * width) / 2)
    top = max(0.0, (image.height - scale * height) / 2)
    right = min(float(image.width), left + scale * width)
    bottom = min(float(image.height), top + scale * height)
    resized = image.resize(
        (width, height),
        Image.Resampling.BICUBIC,  # in Pillow, unlike OpenCV and MediaPipe, antialiased
        box=(left, top, right, bottom),
    )
    return np.asarray(resized)


def _upright_rgb(image: Image.Image) -> Image.Image:
    with contextlib.suppress(Exception):  # odd metadata does not make the pixels unreadable
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):
        # 16-bit grey; Pillow's own conversion clips at 255 instead of scaling.
        wide = np.asarray(image).astype(np.int64)
        image = Image.fromarray(np.clip((wide + 128) // 257, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, (*_BACKGROUND, 255))
        image = Image.alpha_composite(background, image)
    if image.mode != "RGB":
        return image.convert("RGB")
    image.load()  # while the file is open
    return image
