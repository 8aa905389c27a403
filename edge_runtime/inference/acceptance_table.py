"""Measuring which thresholds accept how many images, and how many of these are wrong.

`edge_runtime.inference.acceptance` describes what is measured, and chooses a threshold by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_runtime.inference.acceptance import LEVEL
from edge_runtime.support.labels import first_of_same_name
from edge_runtime.support.metrics import error_bound, threshold_that_accepts

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = 0.95  # share of the images of its classes that a default threshold accepts
# Int8 scores have steps of 1/256, so that finer thresholds would make no difference.
_THRESHOLDS = tuple(n / 256 for n in (*range(0, 192, 16), *range(192, 240, 4), *range(240, 257)))
_OF_A_CLASS = tuple(n / 256 for n in (*range(0, 256, 32), 240, *range(248, 257)))
_MOST_CLASSES = 100  # that have tables of their own


class Judged(NamedTuple):
    """Labelled images and what a model, which was not trained on them, found.

    Attributes:
        best: the best score of each image, (N,).
        found: index of its class, (N,).
        labels: indices of the true classes, (N,).
        measured_on: names these images, in a phrase.
        compared: how many models may have been compared on them before this one was chosen.
    """

    best: NDArray[np.floating]
    found: NDArray[np.integer]
    labels: NDArray[np.integer]
    measured_on: str
    compared: int = 1


def measure(
    judged: Judged, classes: Sequence[str], *, views: int = 1, bounds: Judged | None = None
) -> dict[str, Any]:
    """Return what a model card says about acceptance.

    The default threshold is the largest step of 1/256 that accepts at least `KEPT` of the images.
    Classes of the same name are one class.

    Args:
        judged: the images that decide the default threshold.
        classes: names in the order of the scores.
        views: how many views of an image were averaged.
        bounds: the images that decide the tables; None takes the same.
    """
    first = np.array(first_of_same_name(classes))
    threshold = math.floor(threshold_that_accepts(KEPT, judged.best) * 256) / 256
    accepted = judged.best >= threshold
    measured: dict[str, Any] = {
        "threshold": threshold,
        "measured_on": judged.measured_on,
        "images": len(judged.best),
        "accepted": int(accepted.sum()),
        "wrong": int(_wrong(judged, first)[accepted].sum()),
        "compared": judged.compared,
        "views": views,
    }
    if bounds:
        measured["bounds"] = {
            "measured_on": bounds.measured_on,
            "images": len(bounds.best),
            "compared": bounds.compared,
        }
    behind = bounds or judged
    best, found, wrong = behind.best, first[behind.found], _wrong(behind, first)
    level = LEVEL / behind.compared
    measured["table"] = _table(best, wrong, level, _THRESHOLDS)
    if len(classes) <= _MOST_CLASSES:
        measured["classes"] = {
            classes[at]: _table(best[found == at], wrong[found == at], level, _OF_A_CLASS)
            for at in np.unique(first).tolist()
        }
    return measured


def _wrong(judged: Judged, first: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which images have another class than was found.

    Args:
        judged: the images.
        first: index of the first class of the same name, for each class.
    """
    return np.asarray(first[judged.found] != first[judged.labels])


def _table(
    best: NDArray[np.floating],
    wrong: NDArray[np.bool_],
    level: float,
    thresholds: Sequence[float],
) -> list[list[float]]:
    rows: list[list[float]] = []
    for threshold in thresholds:
        accepted = best >= threshold
        count, errors = int(accepted.sum()), int(wrong[accepted].sum())
        if not rows or count != rows[-1][1]:  # otherwise it accepts the same images
            bound = error_bound(errors, count, level) if count else 1.0
            rows.append([threshold, count, errors, round(bound, 5)])
    return rows
