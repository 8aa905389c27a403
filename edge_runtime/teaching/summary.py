"""Summarise what was learnt as the parts of a report."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inputs.class_folders import Photograph
from edge_runtime.support.metrics import most_confused, wilson_interval
from edge_runtime.teaching.learning import Learnt, expected_interval
from edge_runtime.teaching.report import (
    FEW_PHOTOGRAPHS,
    Accuracy,
    Confusion,
    CurvePoint,
    Mislabelled,
    NearDoubles,
)


def expected(learnt: Learnt, scores: NDArray[np.float32], labels: NDArray[np.intp]) -> Accuracy:
    """Return the accuracy to expect on new photographs.

    Args:
        learnt: what was learnt.
        scores: of the classes, by cross-validation, float32 (N, classes).
        labels: class indices, (N,); -1 marks counter-examples.
    """
    own = labels >= 0
    top1 = float((scores[own].argmax(axis=1) == labels[own]).mean())
    low, high = expected_interval(top1, learnt.independent, learnt.folds)
    return Accuracy(top1, low, high, int(own.sum()))


def tested(found: NDArray[np.intp], labels: NDArray[np.intp]) -> Accuracy:
    """Return the accuracy on test photographs.

    Args:
        found: index of the best class of each, (N,).
        labels: class indices, (N,).
    """
    top1 = float((found == labels).mean())
    return Accuracy(top1, *wilson_interval(top1, len(labels)), len(labels))


def test_left_out(learnt: int, photographs: int) -> str:
    """Return a sentence about test photographs that the model learnt from; empty if none is.

    Args:
        learnt: how many there are.
        photographs: number of test photographs of the classes.
    """
    if not learnt:
        return ""
    what = f"{learnt:,} of {photographs:,} test photograph{'s' if photographs > 1 else ''}"
    none_left = "; none is left to test it on" if learnt == photographs else ""
    return (
        f"Left out {what}, because the model learnt from {'them' if learnt > 1 else 'it'}"
        f"{none_left}."
    )


def confusions(
    found: NDArray[np.intp], labels: NDArray[np.intp], classes: tuple[str, ...]
) -> tuple[Confusion, ...]:
    """Return which classes are taken for which, most frequent first.

    Args:
        found: index of the best class of each photograph, (N,).
        labels: class indices, (N,).
        classes: names by index.
    """
    return tuple(Confusion(classes[a], classes[b], n) for a, b, n in most_confused(found, labels))


def mislabelled(
    learnt: Learnt, photographs: tuple[Photograph, ...], classes: tuple[str, ...]
) -> tuple[Mislabelled, ...]:
    """Return the photographs whose labels are probably wrong.

    Classes of few photographs have none: without one of two, the other looks like another class.
    """
    counts = Counter(photograph.label for photograph in photographs)
    return tuple(
        Mislabelled(
            photographs[suspect.photograph].path,
            classes[photographs[suspect.photograph].label],
            classes[suspect.looks_like],
            round(suspect.probability, 3),
        )
        for suspect in learnt.suspects
        if counts[photographs[suspect.photograph].label] >= FEW_PHOTOGRAPHS
    )


def near_doubles(learnt: Learnt, photographs: tuple[Photograph, ...]) -> tuple[NearDoubles, ...]:
    """Return the pairs of photographs that are nearly the same, those across classes first."""
    found = [
        NearDoubles(a.path, b.path, a.label != b.label)
        for a, b in ((photographs[p.first], photographs[p.second]) for p in learnt.pairs)
    ]
    return tuple(sorted(found, key=lambda pair: not pair.across))


def curve(learnt: Learnt, labels: NDArray[np.intp], top1: float) -> tuple[CurvePoint, ...]:
    """Return the accuracy against photographs a class, up to all that folds are fitted to."""
    counts = np.bincount(labels[labels >= 0])
    in_folds = round(float(np.median(counts)) * (learnt.folds - 1) / learnt.folds)
    fewer = (CurvePoint(*point) for point in learnt.curve if point[0] < in_folds)
    return (*fewer, CurvePoint(in_folds, top1))
