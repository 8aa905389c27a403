"""From an image to what a model's input tensor holds.

Size, channels and type follow from the graph; normalization and fit from the caller, else from
the model file, else they are assumed, and `assumptions` says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image

from edge_runtime.errors import ImageError, ModelError
from edge_runtime.inference.quantization import look_up, pixel_table, raw_bytes
from edge_runtime.inputs.convert import grey
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.names import is_url
from edge_runtime.inputs.resize import fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.engine import Tensor
    from edge_runtime.inference.metadata import Metadata


class Preprocessing:
    """Turns images into a model's input.

    Attributes:
        fit: how pictures of another shape are made to fit, see `edge_runtime.inputs.decode.fit`.
        assumptions: what neither the caller nor the model file said.
    """

    def __init__(
        self,
        tensor: Tensor,
        metadata: Metadata,
        *,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
        how: str | None,
    ) -> None:
        """Set up the table from pixels to the input's values.

        Args:
            tensor: the model's input.
            mean: as for `Classifier`, and so is `std`.
            how: the fit.

        Raises:
            ModelError: means or deviations are not one, or one a channel, or a deviation is 0.
        """
        _, self._height, self._width, self._channels = tensor.shape
        self.fit = how or metadata.fit or "crop"
        self.assumptions: tuple[str, ...] = ()
        means = metadata.mean if mean is None else mean
        stds = metadata.std if std is None else std
        if means is None and stds is None and tensor.dtype in (np.uint8, np.int8):
            offset, scale = raw_bytes(tensor.dtype, tensor.quantization)
            means, stds = (offset,), (scale,)
            self.assumptions = ("its input takes the bytes of pixels as they are",)
        elif means is None or stds is None:
            means, stds = means or (0.0,), stds or (255.0,)
            self.assumptions = (f"a pixel x goes in as (x - {_all(means)}) / {_all(stds)}",)
        if how is None and metadata.fit is None:
            self.assumptions += ("of pictures of another shape the middle is taken",)
        for option, values in (("mean", means), ("std", stds)):
            if len(values) not in (1, self._channels) or not np.isfinite(values).all():
                raise ModelError(
                    f"Expected `{option}` to be one number, or {self._channels} for the model's "
                    f"channels, but got {', '.join(map(str, values))}."
                )
        if not all(stds):
            raise ModelError("Expected `std` to be other than 0; give the deviation of pixels.")
        self._table = pixel_table(tensor.quantization, tensor.dtype, mean=means, std=stds)

    def __call__(self, image: str | Path | BinaryIO | NDArray[np.uint8]) -> NDArray[Any]:
        """Return the input tensor for an image: `decode`, then `tensor`."""
        return self.tensor(self.decode(image))

    def decode(
        self, image: str | Path | BinaryIO | NDArray[np.uint8]
    ) -> Image.Image | NDArray[np.uint8]:
        """Return an image's pixels, no more of them than its resizing wants.

        Args:
            image: a file, an open one, a URL, or uint8 (H, W, 3), RGB, 0-255, of any size, which
                is returned as it is.

        Raises:
            ImageError: the image cannot be read, or the array is of another shape or type.
        """
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
                raise ImageError(_unexpected(image))
            return image
        if not (isinstance(image, (str, Path)) or hasattr(image, "read")):
            raise ImageError(_unexpected(image))
        is_path = isinstance(image, (str, Path))
        name = str(image if is_path else getattr(image, "name", "the image"))
        if isinstance(image, str) and is_url(image):
            from edge_runtime.inputs.http import open_url

            image = open_url(image)
        # Twice the model's size leaves the resizing filter the pixels that it wants.
        at_least = (2 * self._height, 2 * self._width)
        return decode(image, at_least=at_least, name=name)

    def tensor(self, picture: Image.Image | NDArray[np.uint8]) -> NDArray[Any]:
        """Return the input tensor, (1, height, width, channels), for what `decode` returned."""
        if not isinstance(picture, np.ndarray):
            pixels = fit(picture, self._height, self._width, self.fit)
        elif picture.shape[:2] == (self._height, self._width):
            pixels = picture
        else:
            pixels = fit(Image.fromarray(picture), self._height, self._width, self.fit)
        if self._channels == 1:
            pixels = grey(pixels)
        return look_up(self._table, pixels)[np.newaxis]


def _all(values: Sequence[float]) -> str:
    numbers = ", ".join(f"{value:g}" for value in values)
    return numbers if len(values) == 1 else f"({numbers})"


def _unexpected(image: object) -> str:
    got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    return f"Expected `image` to be a path or uint8 (H, W, 3), but got {got}."
