"""How many labels that were changed on purpose are found among the suspects."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.teaching.pool import Pool, teach_some


class NoiseRow(NamedTuple):
    """What became of changed labels, over all draws.

    Attributes:
        photographs: of the pool.
        changed: labels that were changed in each draw.
        recall: share of the changed ones that are among the suspects.
        innocent: share of the suspects whose label was not changed; 0 without suspects.
        suspects: their mean number in a draw.
        suspects_unchanged: number of suspects if no label is changed.
    """

    photographs: int
    changed: int
    recall: float
    innocent: float
    suspects: float
    suspects_unchanged: int


def find_changed(pool: Pool, share: float, draws: int, done: Callable[[], None]) -> NoiseRow:
    """Change labels of all photographs at random, and look for them as `edge-teach` does.

    Args:
        pool: the photographs.
        share: of the labels to change, 0-1; at least one is changed.
        draws: how many times.
        done: called after each time.
    """
    count = len(pool.labels)
    number = max(1, round(share * count))
    everything = np.arange(count)
    found = listed = 0
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        changed = rng.choice(count, number, replace=False)
        labels = pool.labels.copy()
        # A step of 1 to classes - 1 around the circle of classes leads to any other one.
        labels[changed] += rng.integers(1, pool.classes, number)
        labels %= pool.classes
        suspects = {s.photograph for s in teach_some(pool, everything, labels).learnt.suspects}
        listed += len(suspects)
        found += len(suspects.intersection(changed.tolist()))
        done()
    unchanged = teach_some(pool, everything, pool.labels).learnt.suspects
    return NoiseRow(
        photographs=count,
        changed=number,
        recall=found / (number * draws),
        innocent=(listed - found) / listed if listed else 0.0,
        suspects=listed / draws,
        suspects_unchanged=len(unchanged),
    )
