"""Timing groups of calls by turns: within a group call by call, and the groups in stretches.

Few calls share a group, for a dozen networks in a row would throw each other's weights out of the
caches. All groups take their turns several times, so that a change of the CPU's clock meets all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_runtime.latency import measure

STRETCHES = 10
ROUNDS = (20, 2000)  # of a group at least and at most, in all its stretches
WARM_UP = 3  # rounds of each stretch

Series = dict[str, NDArray[np.int64]]


def take_turns(
    groups: Sequence[Mapping[str, Callable[[], object]]], seconds: float
) -> tuple[list[Series], bool]:
    """Measure for about so many seconds in all.

    Returns:
        for each group the nanoseconds of its calls by name, as `edge_runtime.latency.measure`
        does, empty where Ctrl-C came before; and whether all was measured.
    """
    stretches: list[list[Series]] = [[] for _ in groups]
    try:
        rounds = [_rounds(group, seconds / len(groups)) for group in groups]
        for _ in range(STRETCHES):
            for group, count, measured in zip(groups, rounds, stretches, strict=True):
                measured.append(measure(group, rounds=count, warm_up=WARM_UP))
    except KeyboardInterrupt:
        complete = False
    else:
        complete = True
    return [_joined(measured) for measured in stretches], complete


def _rounds(group: Mapping[str, Callable[[], object]], seconds: float) -> int:
    """Return how many rounds a stretch of a group gets."""
    started = time.perf_counter()
    measure(group, rounds=3, warm_up=2)
    round_s = (time.perf_counter() - started) / 5
    return int(-(-np.clip(seconds / round_s, *ROUNDS) // STRETCHES))


def _joined(stretches: Sequence[Series]) -> Series:
    names = stretches[0] if stretches else ()
    return {name: np.concatenate([stretch[name] for stretch in stretches]) for name in names}
