"""A head in integers, as LiteRT's kernels compute it.

Weights have one scale for each class, as LiteRT's quantization specification asks
(https://ai.google.dev/edge/litert/models/quantization_spec).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.quantization import Quantization
from edge_runtime.teaching.head import Head

# Logits this far below a photograph's highest one have scores below 1e-6, which int8 scores cannot
# tell from 0.
_LOGITS = 14.0
_MOST_BIAS = 2.0**30  # steps; the kernel adds the products to it in 32 bits
_HEADROOM = 0.1  # of the range: other photographs may have higher logits


class QuantizedHead(NamedTuple):
    """A head in integers.

    Attributes:
        weights: int8 (classes, features).
        scales: of the weights, one for each class, float32 (classes,).
        bias: in steps of the features' scale times the class's, int32 (classes,).
        logits: quantization of the logits.
    """

    weights: NDArray[np.int8]
    scales: NDArray[np.float32]
    bias: NDArray[np.int32]
    logits: Quantization

    def integer_logits(
        self, features: NDArray[np.int8], quantization: Quantization
    ) -> NDArray[np.int16]:
        """Return the logits that LiteRT's kernel computes, in steps: (N, classes).

        Args:
            features: int8 (N, features).
            quantization: of the features.
        """
        centred = features.astype(np.float64) - quantization.zero_point  # sums of integers, exact
        sums = centred @ self.weights.T.astype(np.float64) + self.bias
        steps = sums * (self.scales * np.float64(quantization.scale / self.logits.scale))
        rounded = np.rint(steps) + self.logits.zero_point
        logits: NDArray[np.int16] = np.clip(rounded, -128, 127).astype(np.int16)
        return logits

    def best(
        self, features: NDArray[np.int8], quantization: Quantization, classes: int
    ) -> NDArray[np.intp]:
        """Return the index of the best class of each photograph, (N,).

        Args:
            features: int8 (N, features).
            quantization: of the features.
            classes: how many of the outputs are classes.
        """
        logits = self.integer_logits(features, quantization)[:, :classes]
        best: NDArray[np.intp] = logits.argmax(axis=1)
        return best


def quantize_head(
    head: Head, features: Quantization, samples: NDArray[np.float32]
) -> QuantizedHead:
    """Quantize a head.

    Args:
        head: for real features.
        features: their quantization.
        samples: features whose logits set the range, float32 (N, features).
    """
    # Scores do not change if all logits do. So the weights may be as small as they can be, and the
    # highest logit 0.
    weights = (head.weights - head.weights.mean(axis=1, keepdims=True)).T
    bias = head.bias - head.bias.mean()
    logits = samples @ weights.T + bias
    high = float(logits.max() + _HEADROOM * np.ptp(logits))
    # The least sure photograph needs those of its logits that matter.
    low = max(float(logits.min()), float(logits.max(axis=1).min()) - _LOGITS)
    bias, scale = bias - high, max(high - low, 1e-3) / 255
    scales = np.maximum(np.abs(weights).max(axis=1), 1e-9) / 127
    scales = np.maximum(scales, np.abs(bias) / (_MOST_BIAS * features.scale))
    return QuantizedHead(
        np.rint(weights / scales[:, np.newaxis]).astype(np.int8),
        scales.astype(np.float32),
        np.rint(bias / (scales * features.scale)).astype(np.int32),
        Quantization(scale, 127),
    )
