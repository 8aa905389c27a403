"""Compare an exported file with the Keras network that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime import Classifier
from edge_runtime.support.metrics import discordant, drop_interval, mcnemar_p, top1, wilson_interval


@dataclass(frozen=True)
class AccuracyComparison:
    """Accuracy of a .tflite file and of the float network that it came from, on the same images.

    Attributes:
        images: number of images.
        float_top1: accuracy of the float network, a fraction.
        top1: accuracy of the file when `edge_runtime` runs it, a fraction.
        lost: images that only the float network gets right.
        gained: images that only the file gets right.
        agreement: share of images with the same top-1 class.
        max_difference: largest difference of any score.
    """

    images: int
    float_top1: float
    top1: float
    lost: int
    gained: int
    agreement: float
    max_difference: float

    @property
    def top1_drop(self) -> float:
        """Accuracy that the export loses, a fraction; negative if it gains."""
        return (self.lost - self.gained) / self.images

    @property
    def top1_interval(self) -> tuple[float, float]:
        """95 % interval of the file's accuracy, fractions."""
        return wilson_interval(self.top1, self.images)

    @property
    def drop_interval(self) -> tuple[float, float]:
        """Paired 95 % interval of the drop, fractions."""
        return drop_interval(self.lost, self.gained, self.images)

    @property
    def p_value(self) -> float:
        """McNemar's p-value of the hypothesis that both are equally accurate."""
        return mcnemar_p(self.lost, self.gained)

    @property
    def cost(self) -> str:
        """Drop, p-value and agreement as a phrase."""
        low, high = self.drop_interval
        return (
            f"drop {points(self.top1_drop)} points ({points(low)} to {points(high)}), "
            f"McNemar p {self.p_value:.2f}, agreement {self.agreement:.2%}"
        )

    def __str__(self) -> str:
        return (
            f"top-1 {self.top1:.2%}, float {self.float_top1:.2%}, {self.cost}, "
            f"scores differ by at most {self.max_difference:.3f}"
        )


def points(fraction: float) -> str:
    """Return a difference of accuracies in percentage points, signed."""
    return f"{round(100 * fraction, 2) + 0.0:+.2f}"  # + 0.0 turns -0.0 into 0.0


@dataclass(frozen=True)
class OutputComparison:
    """Outputs of a .tflite file and of the float network that it came from, on the same images.

    It needs no labels, and therefore says nothing about accuracy.

    Attributes:
        images: number of images.
        mean_cosine: mean of the cosines between the two outputs of an image.
        least_cosine: smallest of them.
        max_difference: largest difference of any number.
        agreement: share of images with the same top-1 class; None if the outputs are features.
    """

    images: int
    mean_cosine: float
    least_cosine: float
    max_difference: float
    agreement: float | None

    def __str__(self) -> str:
        outputs = "features" if self.agreement is None else "scores"
        same = "" if self.agreement is None else f"agreement {self.agreement:.2%}, "
        return (
            f"{same}cosine to the float {outputs} {self.mean_cosine:.4f} (least "
            f"{self.least_cosine:.4f}), {outputs} differ by at most {self.max_difference:.3f}"
        )


def file_scores(
    path: Path, images: NDArray[np.uint8], *, features: bool = False
) -> NDArray[np.float32]:
    """Return the output of a .tflite file when `edge_runtime` runs it, float32 (N, classes).

    Args:
        path: a .tflite file.
        images: uint8 (N, H, W, 3), RGB, 0-255.
        features: the file's output is features, of which no softmax makes scores.

    Raises:
        EdgeRuntimeError: the file cannot be used.
    """
    with Classifier(path, scores="none" if features else "auto") as classifier:
        return np.stack([classifier.scores(image) for image in images])


def compare(
    expected: NDArray[np.float32], actual: NDArray[np.float32], labels: NDArray[np.integer]
) -> AccuracyComparison:
    """Compare a file's scores with the float network's.

    Args:
        expected: scores of the float network, float32 (N, classes).
        actual: scores of the file, float32 (N, classes).
        labels: integer (N,), true class indices.
    """
    lost, gained = discordant(expected, actual, labels)
    return AccuracyComparison(
        images=len(labels),
        float_top1=top1(expected, labels),
        top1=top1(actual, labels),
        lost=lost,
        gained=gained,
        agreement=float(np.mean(expected.argmax(axis=1) == actual.argmax(axis=1))),
        max_difference=float(np.abs(expected - actual).max()),
    )


def compare_outputs(
    expected: NDArray[np.float32], actual: NDArray[np.float32], *, features: bool
) -> OutputComparison:
    """Compare a file's outputs with the float network's, on images without labels.

    Args:
        expected: outputs of the float network, float32 (N, outputs).
        actual: outputs of the file, float32 (N, outputs).
        features: the outputs are features rather than scores of classes.
    """
    norms = np.linalg.norm(expected, axis=1) * np.linalg.norm(actual, axis=1)
    cosines = (expected * actual).sum(axis=1) / np.maximum(norms, np.finfo(np.float32).tiny)
    same = expected.argmax(axis=1) == actual.argmax(axis=1)
    return OutputComparison(
        images=len(expected),
        mean_cosine=float(cosines.mean()),
        least_cosine=float(cosines.min()),
        max_difference=float(np.abs(expected - actual).max()),
        agreement=None if features else float(same.mean()),
    )
