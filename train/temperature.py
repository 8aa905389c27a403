"""Calibrating a network: one temperature that makes its scores mean what they say.

Guo et al. 2017, arXiv:1706.04599: scores = softmax(logits / T), with the T that minimises the
cross-entropy on held-out images. It changes no ranking, and is folded into the last layer, so
that the network keeps its architecture.
"""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

LAST_LAYER = "logits"
_TINY = 1e-30
FEWEST = 50  # images


def fit(scores: NDArray[np.floating], labels: NDArray[np.integer]) -> float | None:
    """Return the temperature that calibrates a network best, None where the images do not tell it.

    The cross-entropy is convex in 1 / T; Newton's method finds its minimum. Where all images are
    classified right, it lies at infinity; where they are fewer than 50, chance decides more than
    the network. No trained network needs a temperature outside 1/10 and 10.

    Args:
        scores: (N, classes), after softmax, of images that were not trained on.
        labels: integer (N,), true class indices.
    """
    logits = np.log(np.maximum(scores.astype(np.float64), _TINY))
    of_truth = logits[np.arange(len(labels)), labels]
    if len(labels) < FEWEST or (scores.argmax(axis=1) == labels).all():
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
    """Divide a network's logits by the temperature: kernel and bias of its last layer."""
    layer = model.get_layer(LAST_LAYER)
    layer.set_weights([weight / np.float32(temperature) for weight in layer.get_weights()])
