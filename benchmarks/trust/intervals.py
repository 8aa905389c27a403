"""95 % intervals of what `python -m benchmarks.trust` measures, with numpy only.

Images of none of the classes come in classes of their own, and images of one class are alike. So
the intervals of such figures count classes: their variance is that of the classes' sums. `groups`
numbers the classes from 0, without gaps.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.metrics import calibration_error, wilson_interval
from train.rejection import placements

Interval = tuple[float, float]

_Z_95 = 1.959963984540054  # 97.5 % quantile of the standard normal distribution
_RESAMPLES = 1000


def share_interval(hits: NDArray[np.bool_], groups: NDArray[np.intp] | None = None) -> Interval:
    """Return the interval of a share of images.

    It is Wilson's, for the number of independent images that would have the same variance.

    Args:
        hits: which images count, (N,).
        groups: number of each image's own class, (N,); None if all images are independent.
    """
    share, images = float(hits.mean()), len(hits)
    if groups is None:
        return wilson_interval(share, images)
    variance = mean_variance(hits.astype(np.float64), groups)
    classes = int(groups.max()) + 1
    independent = round(share * (1 - share) / variance) if variance else classes
    return wilson_interval(share, min(max(independent, 1), images))


def mean_variance(values: NDArray[np.float64], groups: NDArray[np.intp] | None) -> float:
    """Return the variance of a mean; images of a class vary together.

    With one image a class this is the usual variance. A single class says nothing about others, so
    its images count as independent.

    Args:
        values: one for each image, (N,).
        groups: number of each image's own class, (N,); None if all images are independent.
    """
    off = values - values.mean()
    if groups is not None and groups.any():
        off = np.bincount(groups, off)
    return float((off**2).sum() / len(values) ** 2 * len(off) / max(len(off) - 1, 1))


def auroc(
    inside: NDArray[np.floating], outside: NDArray[np.floating], groups: NDArray[np.intp]
) -> tuple[float, Interval]:
    """Return the AUROC of two sets of best scores with its interval.

    The variance is that of DeLong et al. (1988, Biometrics 44, 837-845), for classes of images that
    of Obuchowski (1997, Biometrics 53, 567-578). The interval is symmetric for the logit of the
    AUROC, so it stays inside [0, 1]. It has no width if no scores of the two sets overlap.

    Args:
        inside: best scores of images of the classes, (N,).
        outside: best scores of other images, (M,).
        groups: number of each other image's own class, (M,).
    """
    ours, others = _placements(inside, outside)
    area = float(ours.mean())
    if not 0 < area < 1:
        return area, (area, area)
    deviation = math.sqrt(mean_variance(ours, None) + mean_variance(others, groups))
    logit, half_width = math.log(area / (1 - area)), _Z_95 * deviation / (area * (1 - area))
    return area, (_logistic(logit - half_width), _logistic(logit + half_width))


def auroc_gain(
    before: tuple[NDArray[np.floating], NDArray[np.floating]],
    after: tuple[NDArray[np.floating], NDArray[np.floating]],
    groups: NDArray[np.intp],
) -> tuple[float, Interval]:
    """Return what a model's AUROC gains over another's on the same images (DeLong et al. 1988).

    Args:
        before: best scores of the other model, (N,) of images of the classes and (M,) of others.
        after: those of the model.
        groups: number of each other image's own class, (M,).
    """
    (ours, others), (ours_after, others_after) = _placements(*before), _placements(*after)
    gain = float(ours_after.mean() - ours.mean())
    variance = mean_variance(ours_after - ours, None)
    return gain, _normal(gain, variance + mean_variance(others_after - others, groups))


def share_gain(
    before: NDArray[np.bool_], after: NDArray[np.bool_], groups: NDArray[np.intp]
) -> tuple[float, Interval]:
    """Return how much larger a share of images is for one model than for another.

    Args:
        before: which images count for the other model, (N,).
        after: which count for the model.
        groups: number of each image's own class, (N,).
    """
    gains = after.astype(np.float64) - before
    gain = float(gains.mean())
    return gain, _normal(gain, mean_variance(gains, groups))


def calibration_interval(best: NDArray[np.floating], right: NDArray[np.bool_]) -> Interval:
    """Return the interval of the expected calibration error, by the bootstrap.

    Args:
        best: the best score of each image, (N,).
        right: whether its class is the true one, (N,).
    """
    found = calibration_error(best, right)
    low, high = _bootstrap(found, len(best), lambda at: calibration_error(best[at], right[at]))
    return max(0.0, low), max(0.0, high)


def calibration_gain(
    before: tuple[NDArray[np.floating], NDArray[np.bool_]],
    after: tuple[NDArray[np.floating], NDArray[np.bool_]],
) -> tuple[float, Interval]:
    """Return the difference of two calibration errors on the same images, by the bootstrap.

    Args:
        before: best scores of the other model, (N,), and whether its classes are the true ones.
        after: those of the model.
    """

    def difference(at: NDArray[np.intp] | slice) -> float:
        (old, old_right), (new, new_right) = before, after
        return calibration_error(new[at], new_right[at]) - calibration_error(old[at], old_right[at])

    gain = difference(slice(None))
    return gain, _bootstrap(gain, len(before[0]), difference)


def _bootstrap(
    found: float, images: int, statistic: Callable[[NDArray[np.intp]], float]
) -> Interval:
    """Return the basic bootstrap interval.

    A calibration error grows if its images are few, and grows again in each resample. The basic
    interval subtracts this growth (Davison and Hinkley 1997, section 5.2). It is too narrow for
    errors that are close to 0.
    """
    rng = np.random.default_rng(0)
    draws = [statistic(rng.integers(0, images, images)) for _ in range(_RESAMPLES)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return 2 * found - float(high), 2 * found - float(low)


def _placements(
    inside: NDArray[np.floating], outside: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return which share of the other set each image is on the right side of."""
    return placements(inside, outside), placements(-outside, -inside)


def _normal(found: float, variance: float) -> Interval:
    half_width = _Z_95 * math.sqrt(variance)
    return found - half_width, found + half_width


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
