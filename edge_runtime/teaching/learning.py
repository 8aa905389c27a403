"""From features to a head, and to what can be expected of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import TeachingError
from edge_runtime.support.metrics import wilson_interval
from edge_runtime.teaching.doubles import Pair, group, near_doubles
from edge_runtime.teaching.head import Head
from edge_runtime.teaching.suspects import Suspect, find_suspects
from edge_runtime.teaching.validation import (
    Material,
    Validation,
    assign_folds,
    cross_validate,
    fit_heads,
    learning_curve,
)


class Learnt(NamedTuple):
    """A head, and what cross-validation says about it.

    Attributes:
        head: for features, with logits whose softmax is calibrated.
        validation: the choice, and the scores of every photograph without its own influence.
        independent: number of photographs of the classes, those of a group counted once.
        folds: of cross-validation.
        pairs: of near-doubles.
        suspects: of wrong labels.
        curve: photographs a class and accuracy, fewest first, without the accuracy of all.
    """

    head: Head
    validation: Validation
    independent: int
    folds: int
    pairs: list[Pair]
    suspects: list[Suspect]
    curve: list[tuple[int, float]]


def learn(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    classes: int,
    stage: Callable[[str], None],
) -> Learnt:
    """Fit a head.

    Args:
        features: of comparable size, float32 (N, views, features).
        labels: class indices, (N,); -1 marks counter-examples.
        classes: how many there are.
        stage: is told what follows.

    Raises:
        TeachingError: all photographs are nearly the same.
    """
    stage("looking for near-doubles")
    pairs = near_doubles(features[:, 0], labels)
    groups = group(len(labels), pairs)
    outputs = classes + int((labels < 0).any())
    material = Material(features, labels, classes, outputs, assign_folds(labels, groups))
    if len(np.unique(material.folds)) < 2:
        raise TeachingError(
            "The photographs are all nearly the same, so that nothing can be learnt from them; add "
            "others."
        )
    stage("cross-validating")
    validation = cross_validate(material)
    choice = validation.choice
    stage("trying fewer photographs")
    curve = learning_curve(material, choice)
    stage("fitting")
    (head,) = fit_heads(material, choice.views, [choice.strength])
    own = np.flatnonzero(labels >= 0)
    # Heads that saw nothing of a class, such as one that is a single burst, cannot judge it.
    seen = [k for k in range(classes) if len(np.unique(material.folds[labels == k])) > 1]
    judged = np.flatnonzero(np.isin(labels, seen))
    of_classes = validation.scores[judged, :classes]
    suspects, _ = find_suspects(of_classes / of_classes.sum(axis=1, keepdims=True), labels[judged])
    return Learnt(
        head=Head(head.weights / choice.temperature, head.bias / choice.temperature),
        validation=validation,
        independent=len(np.unique(groups[own])),
        folds=len(np.unique(material.folds)),
        pairs=pairs,
        suspects=[s._replace(photograph=int(judged[s.photograph])) for s in suspects],
        curve=curve,
    )


def expected_interval(top1: float, independent: int, folds: int) -> tuple[float, float]:
    """Return the 95 % interval of a cross-validated accuracy.

    It is Wilson's for a smaller number of photographs: the heads of different folds share most of
    theirs, so that the variance is 1 + folds / (folds - 1) times that of independent tests (Nadeau
    and Bengio 2003, Mach. Learn. 52, 239-281).

    Args:
        top1: the accuracy, a fraction.
        independent: number of photographs, those of a group counted once.
        folds: of cross-validation.
    """
    return wilson_interval(top1, max(1, round(independent / (1 + folds / (folds - 1)))))
