"""Metrics of a classifier, computed with numpy only.

Accuracies are fractions in [0, 1]; only code that prints them turns them into percent.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

_Z_95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution


def top1(scores: NDArray[np.floating | np.integer], labels: NDArray[np.integer]) -> float:
    """Return the share of images whose best class is the true one.

    Args:
        scores: (N, classes), scores or logits; on a tie the lowest class index counts.
        labels: integer (N,), true class indices.

    Raises:
        ValueError: there are no images, or the two lengths differ.
    """
    if len(scores) != len(labels) or len(labels) == 0:
        raise ValueError(
            f"Expected as many labels as rows of scores and at least one, "
            f"but got {len(labels)} labels and {len(scores)} rows."
        )
    return float(np.mean(scores.argmax(axis=1) == labels))


def cross_entropy(scores: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Return the mean of -ln(score of the true class), in nats.

    Args:
        scores: (N, classes), after softmax; scores below 1e-12 count as 1e-12.
        labels: integer (N,), true class indices.
    """
    of_truth = scores[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(of_truth, 1e-12)).mean())


def expected_calibration_error(
    scores: NDArray[np.floating], labels: NDArray[np.integer], bins: int = 15
) -> float:
    """Return the mean distance between best scores and the accuracy that they promise, a fraction.

    Images are put into bins of equal width by their best score. The error is the distance between
    a bin's accuracy and its mean best score, averaged over all images (Guo et al. 2017,
    arXiv:1706.04599, equation 3).

    Args:
        scores: (N, classes), after softmax.
        labels: integer (N,), true class indices.
        bins: number of bins.
    """
    return calibration_error(scores.max(axis=1), scores.argmax(axis=1) == labels, bins)


def calibration_error(
    best: NDArray[np.floating], right: NDArray[np.bool_], bins: int = 15
) -> float:
    """Return the expected calibration error, see `expected_calibration_error`.

    Args:
        best: the best score of each image, (N,), 0-1.
        right: whether its class is the true one, (N,).
        bins: number of bins.
    """
    promised = best.astype(np.float64)
    bin_of = np.minimum((promised * bins).astype(np.int64), bins - 1)
    gap = np.bincount(bin_of, weights=right - promised, minlength=bins)
    return float(np.abs(gap).sum() / len(best))


def wilson_interval(accuracy: float, images: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy.

    This is Wilson's score interval (Wilson 1927, J. Am. Stat. Assoc. 22, 209-212). It stays inside
    [0, 1] and keeps its level for accuracies near 1.

    Args:
        accuracy: measured accuracy, 0-1.
        images: number of images on which it was measured.

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


def threshold_that_accepts(share: float, best: NDArray[np.floating]) -> float:
    """Return the highest threshold that accepts at least a share of images.

    Args:
        share: of the images, 0-1.
        best: the highest score of each image, (N,).
    """
    return float(np.sort(best)[::-1][math.ceil(share * len(best)) - 1])


def error_bound(wrong: int, images: int, level: float = 0.05) -> float:
    """Return what the share of wrong images stays below, with a confidence of 95 % by default.

    This is the one-sided bound of Clopper and Pearson (1934, Biometrika 26, 404-413): the share at
    which so few wrong images would be seen with the probability `level`.

    Args:
        wrong: number of wrong images.
        images: number of all images.
        level: 1 - confidence.

    Raises:
        ValueError: there are no images, or more are wrong than there are.
    """
    if not 0 <= wrong <= images or images == 0:
        raise ValueError(f"Expected 0 to {images} wrong images of at least 1, but got {wrong}.")
    if wrong == images:
        return 1.0
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, images + 1)))])  # of factorials
    count = np.arange(wrong + 1)
    ways = logs[images] - logs[count] - logs[images - count]
    low, high = wrong / images, 1.0
    for _ in range(40):
        share = (low + high) / 2
        terms = ways + count * math.log(share) + (images - count) * math.log1p(-share)
        most = float(terms.max())
        if most + math.log(float(np.exp(terms - most).sum())) > math.log(level):
            low = share
        else:
            high = share
    return high


def discordant(
    first: NDArray[np.floating | np.integer],
    second: NDArray[np.floating | np.integer],
    labels: NDArray[np.integer],
) -> tuple[int, int]:
    """Count the images that only one of two classifiers gets right.

    Args:
        first: (N, classes), scores or logits.
        second: (N, classes), scores or logits of another classifier on the same images.
        labels: integer (N,), true class indices.

    Returns:
        Number of images that only the first gets right, and that only the second gets right.
    """
    first_right: NDArray[np.bool_] = first.argmax(axis=1) == labels
    second_right: NDArray[np.bool_] = second.argmax(axis=1) == labels
    return int(np.sum(first_right & ~second_right)), int(np.sum(second_right & ~first_right))


def drop_interval(lost: int, gained: int, images: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy drop measured on the same images.

    This is the adjusted Wald interval of Agresti and Min 2005, Statistics in Medicine 24, 729-740.
    Half an image is added to each of the four outcomes, which keeps the level if few images differ.

    Args:
        lost: images that only the first classifier gets right, see `discordant`.
        gained: images that only the second gets right.
        images: number of all images.

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

    This is McNemar's test in its exact form (McNemar 1947, Psychometrika 12, 153-157). Under the
    hypothesis, an image that only one of them gets right is as likely to be lost as gained.

    Args:
        lost: images that only the first classifier gets right, see `discordant`.
        gained: images that only the second gets right.
    """
    either = lost + gained
    tail = sum(math.comb(either, k) for k in range(min(lost, gained) + 1))
    return min(1.0, float(2 * tail / 2**either))


def most_confused(
    found: NDArray[np.integer], labels: NDArray[np.integer]
) -> list[tuple[int, int, int]]:
    """Return which classes are taken for which, most frequent first.

    Args:
        found: index of the best class of each image, (N,).
        labels: true class indices, (N,).

    Returns:
        True class, class found, number of images.
    """
    wrong = found != labels
    pairs = Counter(zip(labels[wrong].tolist(), found[wrong].tolist(), strict=True))
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return [(label, other, count) for (label, other), count in ordered]


def confusion_matrix(
    predicted: NDArray[np.integer], labels: NDArray[np.integer], classes: int
) -> NDArray[np.int64]:
    """Count the images of each true class by their predicted class.

    Args:
        predicted: integer (N,), predicted class indices.
        labels: integer (N,), true class indices.
        classes: number of classes.

    Returns:
        int64 (classes, classes); rows are true classes, columns are predicted classes.
    """
    flat = np.asarray(labels, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(flat, minlength=classes * classes).reshape(classes, classes)


def per_class_accuracy(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each class's accuracy: float64 (classes,), fractions; 0 for a class without images.

    Args:
        confusion: (classes, classes), as `confusion_matrix` returns it.
    """
    shares: NDArray[np.float64] = confusion.diagonal() / np.maximum(confusion.sum(axis=1), 1)
    return shares
