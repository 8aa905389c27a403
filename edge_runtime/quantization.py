"""Affine quantization: real = scale * (q - zero_point).

The formula and its constraints are LiteRT's quantization specification
(https://ai.google.dev/edge/litert/models/quantization_spec). Pure numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Quantization:
    """Scale and zero point of a tensor; a scale of 0 marks a float tensor, as in LiteRT."""

    scale: float
    zero_point: int

    def quantize(self, real: NDArray[np.floating], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Round real values to the nearest step (ties to even) and clip them to the integer type.

        Args:
            dtype: what the tensor holds; values pass through unchanged when it is a float.
        """
        if not np.issubdtype(dtype, np.integer):
            return real.astype(dtype)
        limits = np.iinfo(dtype)
        steps = np.clip(np.rint(real / self.scale) + self.zero_point, limits.min, limits.max)
        quantized: NDArray[Any] = steps.astype(dtype)
        return quantized

    def dequantize(self, quantized: NDArray[Any]) -> NDArray[np.float32]:
        """Return the real values, float32; floats pass through unchanged."""
        if not np.issubdtype(quantized.dtype, np.integer):
            return quantized.astype(np.float32)
        steps = quantized.astype(np.float32) - np.float32(self.zero_point)
        return steps * np.float32(self.scale)


def pixel_table(
    quantization: Quantization, dtype: np.dtype[Any], *, mean: float = 0.0, std: float = 255.0
) -> NDArray[Any] | None:
    """Return what a model's input tensor holds for each of the 256 pixel values.

    Args:
        dtype: of the input tensor.
        mean: subtracted from a pixel (0-255).
        std: the difference is divided by this, as in TFLite Metadata's NormalizationOptions.

    Returns:
        (256,) of `dtype`, or None where every pixel value maps to itself and can be fed raw.
    """
    pixels = np.arange(256, dtype=np.float64)
    table = quantization.quantize((pixels - mean) / std, dtype)
    return None if dtype == np.uint8 and np.array_equal(table, pixels) else table
