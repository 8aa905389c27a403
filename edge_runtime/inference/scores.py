"""From the raw output of a network to scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.quantization import Quantization


def score_table(quantization: Quantization, dtype: np.dtype[Any]) -> NDArray[np.float32] | None:
    """Return the real value of each byte that an 8-bit output may hold, or None for other outputs.

    Looking up ten scores takes a fraction of the time that computing them takes.

    Args:
        quantization: of the output tensor.
        dtype: of the output tensor.

    Returns:
        float32 (256,), in the order of unsigned bytes.
    """
    if dtype not in (np.uint8, np.int8):
        return None
    return quantization.dequantize(np.arange(256, dtype=np.uint8).view(dtype))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores of logits: positive numbers that add up to 1.

    Args:
        logits: float32 (classes,). The largest one is subtracted first, so that none overflows.

    Returns:
        float32 (classes,), 0-1.
    """
    powers = np.exp(logits - logits.max())
    scores: NDArray[np.float32] = powers / powers.sum()
    return scores
