"""From an image to a model's input tensor.

Size, channels and type follow from the graph. Normalization and fit are the caller's, otherwise the
model file's. What neither gives is assumed and listed in `Preprocessing.assumptions`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image

from edge_runtime.errors import ImageError, OptionError
from edge_runtime.inference.quantization import Quantization, look_up, pixel_table, raw_bytes
from edge_runtime.inference.signature import takes_raw_bytes
from edge_runtime.inputs.convert import grey
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.resize import fit
from edge_runtime.inputs.urls import is_url, shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.metadata import Metadata
    from edge_runtime.inference.signature import Tensor

    ImageLike = str | Path | BinaryIO | Image.Image | NDArray[np.uint8]


class Preprocessing:
    """Turns images into a model's input tensor.

    Attributes:
        size: height and width of the model's input in pixels.
        fit: how images of another shape are made to fit, one of `edge_runtime.inputs.resize.FITS`.
        assumptions: a clause for each thing that neither the caller nor the model file gives.
        warnings: a clause for each thing that the caller gives and the model file says otherwise.
    """

    def __init__(
        self,
        tensor: Tensor,
        metadata: Metadata,
        *,
        mean: Sequence[float] | None,
        std: Sequence[float] | None,
        how: str | None,
        views: int = 1,
        allow_urls: bool = False,
    ) -> None:
        """Make the table from pixels to the input's values.

        Args:
            tensor: the model's input, (1, height, width, channels).
            metadata: of the model file.
            mean: subtracted from a pixel (0-255), one for all channels or one a channel; None takes
                the file's.
            std: divides the difference, one for all channels or one a channel; None takes the
                file's.
            how: the fit; None takes the file's.
            views: how many views of an image `views` gives at most.
            allow_urls: fetch images that are named by http(s) URLs.

        Raises:
            OptionError: the means or deviations are not finite, are neither one nor one a channel,
                or a deviation is not positive.
        """
        _, self._height, self._width, self._channels = tensor.shape
        self.size = self._height, self._width
        self._views, self._allow_urls = views, allow_urls
        # Twice the model's size leaves enough pixels for the antialiasing filter.
        self._at_least = (2 * self._height, 2 * self._width)
        if views > 1:
            from edge_runtime.inference.views import SMALLEST

            height, width = self._at_least
            self._at_least = (math.ceil(height / SMALLEST), math.ceil(width / SMALLEST))
        self.fit = how or metadata.fit or "crop"
        self.assumptions: tuple[str, ...] = ()
        self.warnings = tuple(
            f"{option} replaces the file's own, {_all(own)}"
            for option, given, own in (
                ("--mean", mean, metadata.mean),
                ("--std", std, metadata.std),
            )
            if given is not None and own is not None and not _same(given, own)
        )
        quantization = tensor.quantization
        of_file: tuple[Sequence[float] | None, Sequence[float] | None] = metadata.mean, metadata.std
        if takes_raw_bytes(tensor):  # it has no real values that the file could speak of
            quantization, of_file = Quantization(1.0, 0), (None, None)
        means = of_file[0] if mean is None else mean
        stds = of_file[1] if std is None else std
        if means is None and stds is None and tensor.dtype in (np.uint8, np.int8):
            offset, scale = raw_bytes(tensor.dtype, quantization)
            means, stds = (offset,), (scale,)
            self.assumptions = ("its input takes the raw bytes of pixels",)
        elif means is None or stds is None:
            means, stds = means or (0.0,), stds or (255.0,)
            self.assumptions = (f"a pixel x goes in as (x - {_all(means)}) / {_all(stds)}",)
        if how is None and metadata.fit is None:
            self.assumptions += ("images of another shape are cropped to their centre",)
        for option, values in (("mean", means), ("std", stds)):
            if len(values) not in (1, self._channels) or not np.isfinite(values).all():
                raise OptionError(
                    f"Expected `{option}` to be one number, or {self._channels} for the model's "
                    f"channels, but got {', '.join(map(str, values))}."
                )
        if not all(value > 0 for value in stds):
            raise OptionError(
                f"Expected `std` to be positive, but got {_all(stds)}; give the deviation of "
                f"pixels."
            )
        self._table = pixel_table(quantization, tensor.dtype, mean=means, std=stds)

    def __call__(self, image: ImageLike) -> NDArray[Any]:
        """Return the input tensor for an image: `tensor` of what `decode` returns.

        Args:
            image: path, open binary file, image of Pillow, http(s) URL if allowed, or uint8
                (H, W, 3), RGB, 0-255.

        Returns:
            (1, height, width, channels) of the input's type.

        Raises:
            ImageError: the image cannot be read, or the array is of another shape or type.
        """
        return self.tensor(self.decode(image))

    def decode(self, image: ImageLike) -> Image.Image | NDArray[np.uint8]:
        """Return an image's pixels, large JPEGs at a reduced size that suffices for resizing.

        Args:
            image: path, open binary file, image of Pillow, or http(s) URL if allowed; uint8
                (H, W, 3), RGB, 0-255, of any size is returned unchanged.

        Raises:
            ImageError: the image cannot be read, or the array is of another shape or type.
        """
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
                raise ImageError(_unexpected(image))
            return image
        if isinstance(image, Image.Image):
            return decode(image)
        if not (isinstance(image, (str, Path)) or hasattr(image, "read")):
            raise ImageError(_unexpected(image))
        is_path = isinstance(image, (str, Path))
        name = str(image if is_path else getattr(image, "name", "the image"))
        if isinstance(image, str) and is_url(image):
            name = shown(image)
            image = self._fetch(image)
        return decode(image, at_least=self._at_least, name=name)

    def widen(self, other: Preprocessing) -> None:
        """Decode images as large as another model needs them, because both get their pixels."""
        height, width = self._at_least
        of_height, of_width = other._at_least
        self._at_least = (max(height, of_height), max(width, of_width))

    def _fetch(self, url: str) -> BinaryIO:
        if not self._allow_urls:
            raise ImageError(
                f"{shown(url)} is a URL, which this classifier does not fetch; "
                f"download the image, or pass allow_urls=True."
            )
        from edge_runtime.inputs.http import ASK_TIMEOUT_S, TIMEOUT_S, open_url
        from edge_runtime.inputs.names import is_told_by_path

        # Both together keep the limit: whoever names a URL may have asked its server before.
        limit_s = TIMEOUT_S if is_told_by_path(url) else TIMEOUT_S - ASK_TIMEOUT_S
        return open_url(url, timeout_s=limit_s)

    def tensor(self, image: Image.Image | NDArray[np.uint8]) -> NDArray[Any]:
        """Resize pixels and convert them to the input tensor.

        Args:
            image: from `decode`.

        Returns:
            (1, height, width, channels) of the input's type.
        """
        if not isinstance(image, np.ndarray):
            pixels = fit(image, self._height, self._width, self.fit)
        elif image.shape[:2] == (self._height, self._width):
            pixels = image
        else:
            pixels = fit(Image.fromarray(image), self._height, self._width, self.fit)
        return self._converted(pixels)

    def views(self, image: Image.Image | NDArray[np.uint8]) -> list[NDArray[Any]]:
        """Return the input tensors of an image's views, see `edge_runtime.inference.views`.

        Args:
            image: from `decode`.

        Returns:
            One tensor or more, each like that of `tensor`, which is the first.
        """
        from edge_runtime.inference.views import PLAIN, plain_views

        tensors = [self.tensor(image)]
        if isinstance(image, np.ndarray):
            height, width, _ = image.shape
        else:
            width, height = image.size
        plain = plain_views((height, width), self.size, self.fit)
        for view in plain[1 : self._views]:
            if isinstance(image, np.ndarray):
                image = Image.fromarray(image)
            pixels = fit(image, self._height, self._width, view.fit, part=view.part)
            tensors.append(self._converted(pixels))
        mirrored = tensors[: max(0, self._views - PLAIN)]
        return tensors + [np.ascontiguousarray(tensor[:, :, ::-1]) for tensor in mirrored]

    def _converted(self, pixels: NDArray[np.uint8]) -> NDArray[Any]:
        if self._channels == 1:
            pixels = grey(pixels)
        return look_up(self._table, pixels)[np.newaxis]


def _all(values: Sequence[float]) -> str:
    numbers = ", ".join(f"{value:g}" for value in values)
    return numbers if len(values) == 1 else f"({numbers})"


def _same(given: Sequence[float], own: Sequence[float]) -> bool:
    """Return whether two normalizations are equal, one number standing for all channels."""
    if 1 not in (len(given), len(own)) and len(given) != len(own):
        return False
    return bool((np.asarray(given) == np.asarray(own)).all())


def _unexpected(image: object) -> str:
    got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
    return f"Expected `image` to be a path, a Pillow image or uint8 (H, W, 3), but got {got}."
