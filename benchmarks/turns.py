"""Time groups of calls: call by call within a group, and the groups in turn, in stretches.

Groups are small, because a dozen networks in a row would evict each other's weights from the CPU
caches. All groups take several turns, so that a change of the CPU's frequency affects all of them.
At each turn everything is loaded again, because two loads of one network differ by a few percent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.timing import measure

STRETCHES = 10
ROUNDS = (20, 2000)  # minimum and maximum per group, over all its stretches
WARM_UP = 3  # rounds at the start of each stretch

Call = Callable[[], object]
# By name, functions that load a network and return the call to time.
Group = Mapping[str, Callable[[], Call]]


class Series(NamedTuple):
    """The times of a group.

    Attributes:
        times: int64 (rounds,), nanoseconds, by name, as `edge_runtime.support.timing.measure`
            returns them; empty if Ctrl-C came first.
        stretch: number of consecutive rounds after the same loading.
        error: why the group could not be measured to the end, or an empty string.
    """

    times: dict[str, NDArray[np.int64]]
    stretch: int
    error: str = ""


def take_turns(groups: Sequence[Group], seconds: float) -> tuple[list[Series], bool]:
    """Time all groups; after Ctrl-C, return what was measured.

    An error ends its group alone, which keeps the times measured before.

    Args:
        groups: the groups to time.
        seconds: approximate duration for all groups together, without the loading.

    Returns:
        The series of each group, and whether everything was measured.
    """
    stretches: list[list[dict[str, NDArray[np.int64]]]] = [[] for _ in groups]
    rounds, errors = [1] * len(groups), [""] * len(groups)
    try:
        for turn in range(1 + STRETCHES):
            for number, group in enumerate(groups):
                if errors[number]:
                    continue
                try:
                    calls = _opened(group)
                    if turn == 0:
                        rounds[number] = _rounds(calls, seconds / len(groups))
                        continue
                    measured = measure(calls, rounds=rounds[number], warm_up=WARM_UP)
                except Exception as exc:  # each runtime has its own error classes
                    errors[number] = str(exc) or type(exc).__name__
                else:
                    stretches[number].append(measured)
    except KeyboardInterrupt:
        complete = False
    else:
        complete = True
    return [
        Series(_joined(measured), count, error)
        for measured, count, error in zip(stretches, rounds, errors, strict=True)
    ], complete


def _opened(group: Group) -> dict[str, Call]:
    return {name: opener() for name, opener in group.items()}


def _rounds(group: Mapping[str, Call], seconds: float) -> int:
    """Return the number of rounds in each stretch of a group."""
    started = time.perf_counter()
    measure(group, rounds=3, warm_up=2)
    round_s = (time.perf_counter() - started) / 5
    return int(-(-np.clip(seconds / round_s, *ROUNDS) // STRETCHES))


def _joined(stretches: Sequence[dict[str, NDArray[np.int64]]]) -> dict[str, NDArray[np.int64]]:
    names = stretches[0] if stretches else ()
    return {name: np.concatenate([stretch[name] for stretch in stretches]) for name in names}
