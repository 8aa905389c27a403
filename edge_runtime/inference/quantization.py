"""Affine quantization: real = scale * (q - zero_point).

The formula and its constraints are those of LiteRT's quantization specification
(https://ai.google.dev/edge/litert/models/quantization_spec). Imports only numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Quantization(NamedTuple):
    """Scale and zero point of a tensor; a scale of 0 marks a float tensor, as in LiteRT."""

    scale: float
    zero_point: int

    def quantize(self, real: NDArray[np.floating], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Round real values to the nearest step (ties to even) and clip them to the integer type.

        Args:
            dtype: of the tensor. If it is a float type, values are converted to it and not scaled.
        """
        if not np.issubdtype(dtype, np.integer):
            return real.astype(dtype)
        limits = np.iinfo(dtype)
        steps = np.clip(np.rint(real / self.scale) + self.zero_point, limits.min, limits.max)
        quantized: NDArray[Any] = steps.astype(dtype)
        return quantized

    def dequantize(self, quantized: NDArray[Any]) -> NDArray[np.float32]:
        """Return the real values, float32; floats are not scaled."""
        if not np.issubdtype(quantized.dtype, np.integer):
            return quantized.astype(np.float32)
        steps = quantized.astype(np.float32) - np.float32(self.zero_point)
        return steps * np.float32(self.scale)


def pixel_table(
    quantization: Quantization,
    dtype: np.dtype[Any],
    *,
    mean: Sequence[float] = (0.0,),
    std: Sequence[float] = (255.0,),
) -> NDArray[Any] | None:
    """Return the value of a model's input tensor for each of the 256 pixel values.

    Args:
        quantization: of the input tensor.
        dtype: of the input tensor.
        mean: subtracted from a pixel (0-255), one for all channels or one a channel.
        std: divides the difference, as in TFLite Metadata's NormalizationOptions.

    Returns:
        (256,) of `dtype`, or (256, channels) if the channels differ. None if every pixel value maps
        to itself, so that no table is needed.
    """
    pixels = np.arange(256, dtype=np.float64)[:, np.newaxis]
    table = quantization.quantize((pixels - np.array(mean)) / np.array(std), dtype)
    if (table == table[:, :1]).all():
        table = table[:, 0]
    return None if dtype == np.uint8 and np.array_equal(table, np.arange(256)) else table


def look_up(table: NDArray[Any] | None, pixels: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the values of a model's input tensor for an image.

    Args:
        table: from `pixel_table`, or None for raw pixels.
        pixels: uint8 (H, W, channels), 0-255.

    Returns:
        (H, W, channels) of the table's type; `pixels` themselves without a table.
    """
    if table is None:
        return pixels
    if table.ndim == 1:
        looked_up: NDArray[Any] = table[pixels]
        return looked_up
    return table[pixels, np.arange(pixels.shape[2])]


def raw_bytes(dtype: np.dtype[Any], quantization: Quantization) -> tuple[float, float]:
    """Return the mean and std with which pixels use the whole range of an integer input.

    A uint8 input then takes the raw bytes and an int8 input the bytes minus 128. Quantized models
    expect this unless they say otherwise.
    """
    lowest = np.iinfo(dtype).min
    # scale * (pixel + lowest - zero_point) = (pixel - mean) / std
    return float(quantization.zero_point - lowest), 1 / quantization.scale
