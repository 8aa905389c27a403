"""Photographs that look mislabelled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_LEAST_PROBABILITY = 0.4  # chosen on photographs of waste with 0 to 10 % of the labels changed
_ROUNDS = 60


class Suspect(NamedTuple):
    """A photograph that looks mislabelled.

    Attributes:
        photograph: its index.
        looks_like: index of the class that it looks like.
        probability: that its label is wrong, 0-1.
    """

    photograph: int
    looks_like: int
    probability: float


def find_suspects(
    scores: NDArray[np.float32], labels: NDArray[np.intp]
) -> tuple[list[Suspect], float]:
    """Return the photographs whose labels are probably wrong, the most probable first.

    A label is taken to be wrong with the same probability for every photograph, and then to be
    any other class. That probability and the temperature of the scores are those that make the
    labels most likely. Expectation maximisation finds the probability (Dempster et al. 1977, J. R.
    Stat. Soc. B 39, 1-38).

    Args:
        scores: of heads that were fitted without the photograph, float32 (N, classes).
        labels: class indices, (N,).

    Returns:
        The suspects, and the estimated share of wrong labels.
    """
    if not len(labels):
        return [], 0.0
    rows = np.arange(len(labels))
    others = scores.shape[1] - 1
    logs = np.log(np.maximum(scores.astype(np.float64), 1e-12))
    most, share, wrong = -np.inf, 0.0, np.zeros(len(labels))
    for temperature in np.geomspace(0.25, 4, 25):
        powers = np.exp(logs / temperature)
        right = powers[rows, labels] / powers.sum(axis=1)
        rate = 0.02
        for _ in range(_ROUNDS):
            by_mistake = rate * (1 - right) / others
            probability = by_mistake / (by_mistake + (1 - rate) * right + 1e-300)
            rate = float(probability.mean())
        likelihood = float(np.log((1 - rate) * right + rate * (1 - right) / others + 1e-300).sum())
        if likelihood > most:
            most, share, wrong = likelihood, rate, probability
    guessed = scores.copy()
    guessed[rows, labels] = -1
    found = np.flatnonzero(wrong >= _LEAST_PROBABILITY)
    found = found[np.argsort(-wrong[found], kind="stable")]
    return [Suspect(int(i), int(guessed[i].argmax()), float(wrong[i])) for i in found], share
