"""Measuring how many images a threshold and leads accept, and how many of these are wrong.

`edge_runtime.inference.acceptance` describes what is measured, and chooses a lead by it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from edge_runtime.inference.acceptance import lead
from edge_runtime.support.labels import first_of_same_name
from edge_runtime.support.metrics import threshold_that_accepts

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = 0.95  # share of the images of its classes that a default threshold accepts


def _leads(best: range, second: range, fewer: int) -> tuple[float, ...]:
    """Return leads to measure, rising from 0.

    Most leads above 30 are those of int8 scores of nearly 1 and nearly 0, which have few values.

    Args:
        best: best scores for which to return the lead, in 256ths.
        second: second-best scores, in 256ths.
        fewer: how many of 1 to 30 to return.
    """
    near_one = {lead(a / 256, b / 256) for a in best for b in second}
    below = {30 ** (n / fewer) for n in range(fewer)}
    return (0.0, *sorted({round(found, 2) for found in near_one | below}))


_LEADS = _leads(range(238, 257), range(6), 20)
_LEADS_OF_A_CLASS = _leads(range(238, 257, 6), range(4), 10)
_MOST_CLASSES = 100  # that have tables of their own


class Judged(NamedTuple):
    """Labelled images and what a model, which was not trained on them, found.

    Attributes:
        best: the best score of each image, (N,).
        second: the best score of another class, (N,); 0 if there is none.
        found: index of the best class, (N,).
        labels: indices of the true classes, (N,).
        measured_on: names these images, in a phrase.
        compared: how many models may have been compared on them before this one was chosen.
    """

    best: NDArray[np.floating]
    second: NDArray[np.floating]
    found: NDArray[np.integer]
    labels: NDArray[np.integer]
    measured_on: str
    compared: int = 1

    @classmethod
    def of(
        cls,
        scores: NDArray[np.floating],
        labels: NDArray[np.integer],
        measured_on: str,
        compared: int = 1,
    ) -> Self:
        """Return this of all scores, (N, classes)."""
        best, second = _two_best(scores)
        return cls(best, second, scores.argmax(axis=1), labels, measured_on, compared)


def _two_best(scores: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the best score of each image, and the next; 0 if there is no other class.

    Args:
        scores: (N, classes), 0-1.
    """
    ordered = np.sort(scores, axis=1)
    none = np.zeros(len(scores), scores.dtype)
    return ordered[:, -1], ordered[:, -2] if scores.shape[1] > 1 else none


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
    found, wrong = first[behind.found], _wrong(behind, first)
    # in float64, as the runtime computes them
    leads = lead(behind.best.astype(np.float64), behind.second.astype(np.float64))
    leads[behind.best < threshold] = 0
    measured["leads"] = _table(leads, wrong, _LEADS)
    if len(classes) <= _MOST_CLASSES:
        measured["leads_of"] = {
            classes[at]: _table(leads[found == at], wrong[found == at], _LEADS_OF_A_CLASS)
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
    leads: NDArray[np.floating], wrong: NDArray[np.bool_], least: Sequence[float]
) -> list[list[float]]:
    rows: list[list[float]] = []
    for lowest in least:
        accepted = leads >= lowest
        count = int(accepted.sum())
        # The first two differ in what they mean even if they accept the same images.
        if len(rows) < 2 or count != rows[-1][1]:
            rows.append([lowest, count, int(wrong[accepted].sum())])
    return rows
