"""Resizing an image to a model's input.

Imports Pillow and numpy inside functions, so that reading `FITS` costs a command's start nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

FITS = ("crop", "stretch", "pad")
_PADDING = (0, 0, 0)


def fit(
    image: Image.Image, height: int, width: int, how: str = "crop", *, part: float = 1.0
) -> NDArray[np.uint8]:
    """Resize an image to a model's input, with antialiased bicubic interpolation.

    Args:
        image: RGB, of any size.
        height: of the result, in pixels.
        width: of the result, in pixels.
        how: one of `FITS`. `crop` keeps the largest centred part that has the result's shape.
            `stretch` keeps the whole image and changes its shape. `pad` keeps both and fills the
            rest with black.
        part: share of the sides of what `crop` keeps, 0-1.

    Returns:
        uint8 (height, width, 3), RGB, 0-255; unchanged pixels if the image has this size already.
    """
    import numpy as np
    from PIL import Image

    if image.size == (width, height) and part == 1:
        return np.asarray(image)
    bicubic = Image.Resampling.BICUBIC  # antialiased in Pillow, unlike in OpenCV and MediaPipe
    if how == "stretch":
        return np.asarray(image.resize((width, height), bicubic))
    if how == "pad":
        scale = min(height / image.height, width / image.width)
        inner = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        padded = Image.new("RGB", (width, height), _PADDING)
        place = ((width - inner[0]) // 2, (height - inner[1]) // 2)
        padded.paste(image.resize(inner, bicubic), place)
        return np.asarray(padded)
    scale = part * min(image.height / height, image.width / width)
    # Rounding may put the box a hair outside the image, which Pillow rejects.
    left = max(0.0, (image.width - scale * width) / 2)
    top = max(0.0, (image.height - scale * height) / 2)
    right = min(float(image.width), left + scale * width)
    bottom = min(float(image.height), top + scale * height)
    return np.asarray(image.resize((width, height), bicubic, box=(left, top, right, bottom)))
