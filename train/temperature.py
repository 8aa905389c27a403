"""Calibrate a network by a temperature, so that a score of 0.9 is right nine times in ten.

Guo et al. 2017, arXiv:1706.04599: scores = softmax(logits / T), with the T that minimises the
cross-entropy on held-out images. T does not change which class scores highest. It is folded into
the last layer, so that the network keeps its architecture.
"""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

LAST_LAYER = "logits"
_TINY = 1e-30
FEWEST_IMAGES = 50


def fit(scores: NDArray[np.floating], labels: NDArray[np.integer]) -> float | None:
    """Return the temperature that calibrates a network best, or None if it is undetermined.

    The cross-entropy is convex in 1 / T, and Newton's method finds its minimum. If all images are
    classified right, 1 / T has no finite minimum. With fewer than 50 images, chance decides more
    than the network. No trained network needs a temperature below 1/10 or above 10.

    Args:
        scores: (N, classes), after softmax, of images that were not trained on.
        labels: integer (N,), true class indices.
    """
    logits = np.log(np.maximum(scores.astype(np.float64), _TINY))
    of_truth = logits[np.arange(len(labels)), labels]
    if len(labels) < FEWEST_IMAGES or (scores.argmax(axis=1) == labels).all():
        return None
    inverse = 1.0
    for _ in range(50):
        weights = np.exp(inverse * (logits - logits.max(axis=1, keepdims=True)))
        weights /= weights.sum(axis=1, keepdims=True)
        mean = (weights * logits).sum(axis=1)
        variance = (weights * logits**2).sum(axis=1) - mean**2
        step = (mean - of_truth).mean() / max(variance.mean(), _TINY)
        before, inverse = inverse, float(np.clip(inverse - step, 0.1, 10))
        if abs(inverse - before) < 1e-9:
            break
    return 1 / inverse if 0.1 < inverse < 10 else None


def fold(model: keras.Model, temperature: float) -> None:
    """Divide a network's logits by a temperature, in the kernel and bias of its last layer."""
    layer = model.get_layer(LAST_LAYER)
    layer.set_weights([weight / np.float32(temperature) for weight in layer.get_weights()])
