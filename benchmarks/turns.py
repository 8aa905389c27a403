"""Timing groups of calls by turns: within a group call by call, and the groups in stretches.

Few calls share a group, for a dozen networks in a row would throw each other's weights out of the
caches. All groups take their turns several times, so that a change of the CPU's clock meets all;
and each time everything is opened anew, for one load of a network is up to a few percent faster
than another.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.timing import measure

STRETCHES = 10
ROUNDS = (20, 2000)  # of a group at least and at most, in all its stretches
WARM_UP = 3  # rounds of each stretch

Call = Callable[[], object]
Group = Mapping[str, Callable[[], Call]]  # by name, what opens something and returns its call


class Series(NamedTuple):
    """What a group took.

    Attributes:
        times: by name, nanoseconds, as `edge_runtime.support.timing.measure` returns them; empty where
            Ctrl-C came before.
        stretch: rounds in a row that were measured after the same opening.
        error: why the group could not be measured to its end, or empty.
    """

    times: dict[str, NDArray[np.int64]]
    stretch: int
    error: str = ""


def take_turns(groups: Sequence[Group], seconds: float) -> tuple[list[Series], bool]:
    """Measure for about so many seconds in all, besides the opening.

    A group that fails ends alone, and its figures stay as they are.

    Returns:
        each group's series, and whether all was measured.
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
                except Exception as exc:  # of any runtime
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
    """Return how many rounds a stretch of a group gets."""
    started = time.perf_counter()
    measure(group, rounds=3, warm_up=2)
    round_s = (time.perf_counter() - started) / 5
    return int(-(-np.clip(seconds / round_s, *ROUNDS) // STRETCHES))


def _joined(stretches: Sequence[dict[str, NDArray[np.int64]]]) -> dict[str, NDArray[np.int64]]:
    names = stretches[0] if stretches else ()
    return {name: np.concatenate([stretch[name] for stretch in stretches]) for name in names}
