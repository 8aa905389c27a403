"""The figures of a network on a split; `train.plots` draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.metrics import (
    confusion_matrix,
    cross_entropy,
    discordant,
    drop_interval,
    expected_calibration_error,
    per_class_accuracy,
    top1,
    wilson_interval,
)
from train.dataset import Split
from train.networks import batches_of


@dataclass(frozen=True)
class Evaluation:
    """A network's figures on one split.

    Attributes:
        images: number of images.
        top1: accuracy, a fraction.
        interval: 95 % confidence interval of the accuracy (Wilson).
        loss: mean cross-entropy in nats, without label smoothing.
        calibration_error: expected calibration error, a fraction.
        confusion: int64 (classes, classes), rows are true classes.
    """

    images: int
    top1: float
    interval: tuple[float, float]
    loss: float
    calibration_error: float
    confusion: NDArray[np.int64]

    def as_json(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the figures as JSON types; classes are given by their names."""
        per_class = per_class_accuracy(self.confusion)
        return {
            "images": self.images,
            "top1": self.top1,
            "top1_interval_95": list(self.interval),
            "loss": self.loss,
            "calibration_error": self.calibration_error,
            "per_class": dict(zip(class_names, per_class.tolist(), strict=True)),
            "most_confused": self._most_confused(class_names),
            "confusion": self.confusion.tolist(),
        }

    def _most_confused(self, class_names: Sequence[str], pairs: int = 5) -> list[dict[str, Any]]:
        """Return the pairs of classes most often confused, in either direction."""
        both_ways = np.triu(self.confusion + self.confusion.T, k=1)
        order = np.argsort(-both_ways, axis=None, kind="stable")[:pairs]
        places = [np.unravel_index(place, both_ways.shape) for place in order]
        return [
            {"classes": [class_names[a], class_names[b]], "images": int(both_ways[a, b])}
            for a, b in places
            if both_ways[a, b] > 0
        ]


def predict(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a network's scores, float32 (N, classes), of images, uint8 (N, side, side, 3), RGB."""
    batches = batches_of(model, images)
    return np.concatenate([np.asarray(model.predict_on_batch(batch)) for batch in batches])


def of_scores(scores: NDArray[np.float32], split: Split) -> Evaluation:
    """Return the figures of a network from its scores, float32 (N, classes), on a split."""
    accuracy = top1(scores, split.labels)
    return Evaluation(
        images=len(split),
        top1=accuracy,
        interval=wilson_interval(accuracy, len(split)),
        loss=cross_entropy(scores, split.labels),
        calibration_error=expected_calibration_error(scores, split.labels),
        confusion=confusion_matrix(scores.argmax(axis=1), split.labels, scores.shape[1]),
    )


@dataclass(frozen=True)
class Gain:
    """How much more accurate a second network is than a first one on the same images.

    Attributes:
        top1: difference of the accuracies, a fraction; a loss is negative.
        interval: its paired 95 % confidence interval (Agresti and Min).
    """

    top1: float
    interval: tuple[float, float]

    def __str__(self) -> str:
        """Return the gain in percentage points and its interval: +1.20 (-0.10 to +2.50)."""
        low, high = self.interval
        return f"{100 * self.top1:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def gain(
    first: NDArray[np.floating], second: NDArray[np.floating], labels: NDArray[np.integer]
) -> Gain:
    """Return the gain of a second network over a first one from their scores, (N, classes)."""
    gained, lost = discordant(second, first, labels)
    return Gain((gained - lost) / len(labels), drop_interval(gained, lost, len(labels)))


def evaluate(model: keras.Model, split: Split) -> Evaluation:
    """Run a network on a split, and return its figures."""
    return of_scores(predict(model, split.images), split)
