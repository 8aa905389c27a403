"""Figures of merit of a classifier, computed with numpy alone.

Accuracies are fractions in [0, 1]; only what prints them turns them into percent.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

_Z_95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution


def top1(scores: NDArray[np.floating | np.integer], labels: NDArray[np.integer]) -> float:
    """Return the share of rows whose largest score is at the true class.

    Args:
        scores: (N, classes), scores or logits; on a tie the lowest class index counts.
        labels: integer (N,), true class indices.

    Raises:
        ValueError: no rows, or the two lengths differ.
    """
    if len(scores) != len(labels) or len(labels) == 0:
        raise ValueError(
            f"Expected as many labels as rows of scores and at least one, "
            f"but got {len(labels)} labels and {len(scores)} rows."
        )
    return float(np.mean(scores.argmax(axis=1) == labels))


def cross_entropy(scores: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the mean of -ln(score of the true class), in nats; scores below 1e-12 count as that.

    Args:
        scores: (N, classes), after softmax.
        labels: integer (N,), true class indices.
    """
    of_truth = scores[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_truth, 1e-12)).mean())


def expected_calibration_error(
    scores: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 15
) -> float:
    """Return how far the best scores are from the accuracy that they promise, a fraction.

    The images are sorted into bins of equal width by their best score; the error is the mean
    over all images of the difference between accuracy and mean best score of its bin (Guo et al.
    2017, arXiv:1706.04599, equation 3).

    Args:
        scores: (N, classes), after softmax.
        labels: integer (N,), true class indices.
    """
    best = scores.max(axis=1).astype(np.float64)
    right = (scores.argmax(axis=1) == labels).astype(np.float64)
    bin_of = np.minimum((best * bins).astype(np.int64), bins - 1)
    gap = np.bincount(bin_of, weights=right - best, minlength=bins)
    return float(np.abs(gap).sum() / len(labels))


def wilson_interval(accuracy: float, images: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy measured on `images` images.

    Wilson's score interval (Wilson 1927, J. Am. Stat. Assoc. 22, 209-212), which stays inside
    [0, 1] and holds its level for accuracies near 1.

    Raises:
        ValueError: `images` is not positive.
    """
    if images <= 0:
        raise ValueError(f"Expected a positive number of images, but got {images}.")
    z2 = _Z_95**2
    centre = (accuracy + z2 / (2 * images)) / (1 + z2 / images)
    half_width = (
        _Z_95
        * math.sqrt(accuracy * (1 - accuracy) / images + z2 / (4 * images**2))
        / (1 + z2 / images)
    )
    return max(0.0, centre - half_width), min(1.0, centre + half_width)


def discordant(
    first: NDArray[np.floating | np.integer],
    second: NDArray[np.floating | np.integer],
    labels: NDArray[np.integer],
) -> tuple[int, int]:
    """Count the images that only the first classifier gets right, and those that only the second.

    Args:
        first: (N, classes), scores or logits.
        second: (N, classes), of another classifier on the same images.
        labels: integer (N,), true class indices.
    """
    first_right: NDArray[np.bool_] = first.argmax(axis=1) == labels
    second_right: NDArray[np.bool_] = second.argmax(axis=1) == labels
    return int(np.sum(first_right & ~second_right)), int(np.sum(second_right & ~first_right))


def drop_interval(lost: int, gained: int, images: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy drop measured on the same images.

    The adjusted Wald interval of Agresti and Min 2005, Statistics in Medicine 24, 729-740: half an
    image is added to each of the four outcomes, which holds the level where few images differ.

    Args:
        lost: images that only the first classifier gets right, see `discordant`.
        gained: images that only the second gets right.
        images: all of them.

    Raises:
        ValueError: `images` is not positive.
    """
    if images <= 0:
        raise ValueError(f"Expected a positive number of images, but got {images}.")
    n = images + 2
    drop = (lost - gained) / n
    half_width = _Z_95 * math.sqrt((lost + gained + 1) / n - drop**2) / math.sqrt(n)
    return drop - half_width, drop + half_width


def mcnemar_p(lost: int, gained: int) -> float:
    """Return the two-sided p-value of the hypothesis that two classifiers are equally accurate.

    McNemar's test in its exact form (McNemar 1947, Psychometrika 12, 153-157): of the images that
    only one of them gets right, each is as likely to be lost as gained.
    """
    either = lost + gained
    tail = sum(math.comb(either, k) for k in range(min(lost, gained) + 1))
    return min(1.0, float(2 * tail / 2**either))


def confusion_matrix(
    predicted: NDArray[np.integer], labels: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """Count predictions: int64 (classes, classes), rows are true classes, columns predictions."""
    flat = np.asarray(labels, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def per_class_accuracy(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each class's accuracy: float64 (classes,), fractions; 0 for a class without images.

    Args:
        confusion: (classes, classes), as `confusion_matrix` returns it.
    """
    shares: NDArray[np.float64] = confusion.diagonal() / np.maximum(confusion.sum(axis=1), 1)
    return shares
