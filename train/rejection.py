"""How well a network's highest score tells images of its classes from outliers.

An image is accepted if its highest score reaches a threshold: the one that keeps 95 % of the
held-out images.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.acceptance_table import KEPT as KEPT
from edge_runtime.support.metrics import threshold_that_accepts, wilson_interval


def threshold(held_out: NDArray[np.floating], kept: float = KEPT) -> float:
    """Return the highest threshold that accepts at least a share of the held-out images.

    Args:
        held_out: their scores, (N, classes), after softmax.
        kept: the share.
    """
    return threshold_that_accepts(kept, held_out.max(axis=1))


def accepted(scores: NDArray[np.floating], lowest: float) -> float:
    """Return the share of images, given by their scores (N, classes), that a threshold accepts."""
    return float(np.mean(scores.max(axis=1) >= lowest))


def auroc(inside: NDArray[np.floating], outside: NDArray[np.floating]) -> float:
    """Return the probability that an image of the classes has a higher best score than an outlier.

    This is the area under the curve of true against false acceptance; a tie counts half (Hanley and
    McNeil 1982, Radiology 143, 29-36).

    Args:
        inside: scores of images of the classes, (N, classes).
        outside: scores of outliers, (M, classes).
    """
    return float(placements(inside.max(axis=1), outside.max(axis=1)).mean())


def placements(inside: NDArray[np.floating], outside: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return which share of the outliers each image of the classes scores above, (N,).

    Their mean is the AUROC; a tie counts half.

    Args:
        inside: best scores of images of the classes, (N,).
        outside: best scores of outliers, (M,).
    """
    others = np.sort(outside)
    below = np.searchsorted(others, inside, "left")
    not_above = np.searchsorted(others, inside, "right")
    shares: NDArray[np.float64] = (below + not_above) / (2 * len(others))
    return shares


def figures(
    held_out: NDArray[np.floating],
    test: NDArray[np.floating],
    outliers: Mapping[str, NDArray[np.floating]],
) -> dict[str, Any]:
    """Return how a network tells its classes from outliers, as JSON types.

    Args:
        held_out: scores of the held-out images, (N, classes), which give the threshold.
        test: scores of the test images, on which the rest is reported.
        outliers: scores of the validation outliers by the name of their source.
    """
    lowest = threshold(held_out)
    by_source = {}
    for name, scores in outliers.items():
        share = accepted(scores, lowest)
        by_source[name] = {
            "images": len(scores),
            "auroc": auroc(test, scores),
            "accepted": share,
            "accepted_interval_95": list(wilson_interval(share, len(scores))),
        }
    return {"threshold": lowest, "test_accepted": accepted(test, lowest), "outliers": by_source}
