"""Cross-validation: which head to fit, and how well it will do on new photographs.

Photographs of one group, such as the frames of a burst, stay in one fold. Otherwise a head would
be tested on what it was fitted to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.scores import softmax
from edge_runtime.teaching.head import Head, fit, in_features, space_of
from edge_runtime.teaching.views import VIEW_SETS

STRENGTHS = (0.3, 0.1, 0.03, 0.01)  # penalties to choose from, strongest first
_MANY_FOLDS, _FEW_FOLDS = 10, 5
_MANY_PHOTOGRAPHS = 300  # from which fewer folds do
_DIMENSIONS = 512  # of the space in which heads are fitted; as many as classes if these are more
_CURVE = (2, 5, 10, 20, 40, 80, 160, 320, 640)  # photographs a class
_SEED = 0


class Choice(NamedTuple):
    """What a head is fitted with.

    Attributes:
        views: indices of the views of each photograph.
        strength: of the penalty.
        temperature: by which logits are divided, so that scores are as often right as they say.
    """

    views: tuple[int, ...]
    strength: float
    temperature: float


class Validation(NamedTuple):
    """What cross-validation found.

    Attributes:
        choice: the best choice.
        scores: of each photograph, by a head that was fitted without its group, float32
            (N, outputs).
    """

    choice: Choice
    scores: NDArray[np.float32]


class Material(NamedTuple):
    """Photographs to learn from.

    Attributes:
        features: float32 (N, views, features).
        labels: class indices, (N,); -1 marks counter-examples.
        classes: how many there are.
        outputs: of the head: one for each class, and one more if there are counter-examples.
        folds: the fold of each photograph, (N,).
    """

    features: NDArray[np.float32]
    labels: NDArray[np.intp]
    classes: int
    outputs: int
    folds: NDArray[np.intp]

    @property
    def wanted(self) -> NDArray[np.intp]:
        """Index of the output that should be highest, (N,)."""
        return np.where(self.labels < 0, self.classes, self.labels)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> Material:
        """Return some of the photographs."""
        return self._replace(
            features=self.features[chosen], labels=self.labels[chosen], folds=self.folds[chosen]
        )


def assign_folds(labels: NDArray[np.intp], groups: NDArray[np.intp]) -> NDArray[np.intp]:
    """Divide photographs into folds with about equally many of each class.

    Args:
        labels: class indices, (N,).
        groups: photographs with the same number stay together, (N,).

    Returns:
        The fold of each photograph, (N,).
    """
    rng = np.random.default_rng(_SEED)
    count = _MANY_FOLDS if len(labels) < _MANY_PHOTOGRAPHS else _FEW_FOLDS
    folds = np.zeros(len(labels), np.intp)
    total = np.zeros(count, np.intp)
    numbers, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    for label in np.unique(labels):
        own = np.flatnonzero(labels[first] == label)
        own = rng.permutation(own)
        own = own[np.argsort(-sizes[own], kind="stable")]
        here = np.zeros(count, np.intp)
        for group in own:
            fold = min(range(count), key=lambda f: (here[f], total[f]))
            folds[groups == numbers[group]] = fold
            here[fold] += sizes[group]
            total[fold] += sizes[group]
    return folds


def cross_validate(material: Material, advance: Callable[[], None] = lambda: None) -> Validation:
    """Choose views, strength and temperature by the cross-entropy of held-out folds.

    Args:
        material: what to learn from.
        advance: called after each fold.
    """
    best: tuple[float, Choice, NDArray[np.float32]] | None = None
    for views in VIEW_SETS:
        held_out = np.zeros((len(STRENGTHS), len(material.labels), material.outputs), np.float32)
        for fold in np.unique(material.folds):
            inside = material.folds == fold
            heads = fit_heads(material.take(~inside), views, STRENGTHS)
            for at, head in enumerate(heads):
                held_out[at, inside] = head.logits(material.features[inside, 0])
            advance()
        for strength, logits in zip(STRENGTHS, held_out, strict=True):
            temperature, loss = _best_temperature(logits, material.wanted)
            if best is None or loss < best[0]:
                best = loss, Choice(views, strength, temperature), logits
    assert best is not None
    _, choice, logits = best
    return Validation(choice, softmax(logits / np.float32(choice.temperature)).astype(np.float32))


def fit_heads(material: Material, views: tuple[int, ...], strengths: Sequence[float]) -> list[Head]:
    """Fit one head for features for each strength, to all photographs of the material."""
    features = material.features[:, list(views)]
    rows = features.reshape(-1, features.shape[2])
    targets = np.eye(material.outputs, dtype=np.float32)[material.wanted]
    # A photograph's views scatter little, so their mean defines the space as well, and faster.
    # OpenBLAS's kernels may set floating-point flags for numbers that they do not use.
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        space = space_of(features.mean(axis=1), max(_DIMENSIONS, material.outputs))
        heads = fit(space.coordinates(rows), np.repeat(targets, len(views), axis=0), strengths)
    return [in_features(head, space) for head in heads]


def learning_curve(
    material: Material, choice: Choice, advance: Callable[[], None] = lambda: None
) -> list[tuple[int, float]]:
    """Return the accuracy on held-out folds with fewer photographs a class: (number, accuracy)."""
    rng = np.random.default_rng(_SEED)
    own = material.labels >= 0
    counts = np.bincount(material.labels[own], minlength=material.classes)
    limit = int(np.median(counts)) * 0.7
    curve = []
    for number in _CURVE:
        if number > limit:
            break
        right = np.zeros(len(material.labels), bool)
        for fold in np.unique(material.folds):
            inside = material.folds == fold
            rest = rng.permutation(np.flatnonzero(~inside))
            kept = [rest[material.labels[rest] == k][:number] for k in range(material.classes)]
            few = material.take(np.sort(np.concatenate([*kept, rest[material.labels[rest] < 0]])))
            (head,) = fit_heads(few, choice.views, [choice.strength])
            logits = head.logits(material.features[inside, 0])[:, : material.classes]
            right[inside] = logits.argmax(axis=1) == material.labels[inside]
        advance()
        curve.append((number, float(right[own].mean())))
    return curve


def _best_temperature(logits: NDArray[np.float32], labels: NDArray[np.intp]) -> tuple[float, float]:
    """Return the temperature with the least cross-entropy (Guo et al. 2017, arXiv:1706.04599).

    One photograph more is taken to be wrong, so that few photographs, all of them right, do not
    promise certainty (Platt 1999, Advances in Large Margin Classifiers, 61-74, section 2.2).

    Returns:
        The temperature, 0.05-20, and the mean cross-entropy in nats.
    """
    wrong = 1 / (len(labels) + 2)
    truth = logits[np.arange(len(labels)), labels].astype(np.float64)
    others = (logits.sum(axis=1, dtype=np.float64) - truth) / (logits.shape[1] - 1)
    of_truth = (1 - wrong) * truth + wrong * others
    top = logits.max(axis=1).astype(np.float64)

    def loss(temperature: float) -> float:
        parts = np.exp((logits - top[:, np.newaxis]) / temperature).sum(axis=1)
        return float((np.log(parts) + (top - of_truth) / temperature).mean())

    grid = np.geomspace(0.05, 20, 41)
    for _ in range(2):  # then between the neighbours of the best one
        losses = [loss(t) for t in grid]
        at = int(np.argmin(losses))
        best = float(grid[at]), losses[at]
        grid = np.geomspace(grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)], 21)
    return best
