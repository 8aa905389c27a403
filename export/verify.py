"""Holding an exported file against the Keras network that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from edge_runtime import Classifier
from edge_runtime.metrics import top1
from train.dataset import Split


@dataclass(frozen=True)
class Comparison:
    """Figures of the .tflite file and its Keras network on the same images.

    Attributes:
        images: how many.
        keras_top1: accuracy of the Keras network, a fraction.
        tflite_top1: accuracy of the file, run by `edge_runtime`.
        agreement: share of images with the same top-1 class.
        max_difference: largest difference of any score.
    """

    images: int
    keras_top1: float
    tflite_top1: float
    agreement: float
    max_difference: float

    @property
    def top1_drop(self) -> float:
        """Accuracy lost by the export, a fraction; negative where it gained."""
        return self.keras_top1 - self.tflite_top1

    def __str__(self) -> str:
        return (
            f"on {self.images:,} held-out images: top-1 {self.tflite_top1:.2%}, "
            f"Keras {self.keras_top1:.2%}, drop {100 * self.top1_drop:+.2f} points, "
            f"agreement {self.agreement:.2%}, largest score difference {self.max_difference:.2g}"
        )


def compare(model: keras.Model, path: Path, held_out: Split) -> Comparison:
    """Run both over the held-out images.

    Raises:
        EdgeRuntimeError: the file cannot be loaded by the runtime.
    """
    expected = np.asarray(model.predict_on_batch(held_out.images.astype(np.float32) / 255))
    with Classifier(path) as classifier:
        actual = np.stack([classifier.scores(image) for image in held_out.images])
    return Comparison(
        images=len(held_out),
        keras_top1=top1(expected, held_out.labels),
        tflite_top1=top1(actual, held_out.labels),
        agreement=float(np.mean(expected.argmax(axis=1) == actual.argmax(axis=1))),
        max_difference=float(np.abs(expected - actual).max()),
    )
