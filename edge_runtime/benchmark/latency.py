"""The latency pass: all settings take turns, and every model is loaded several times.

The time of a model depends on where its weights lie in memory, so two loads of one file may
differ by a few percent. Several loads average this out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter

import numpy as np

from edge_runtime.benchmark.contestant import Contestant
from edge_runtime.benchmark.session import CALLS_PER_TURN, Session
from edge_runtime.support.timing import FEWEST_STRETCHES, measure

BUDGET_S = 8.0  # for the calls of all settings if the user gives no number, and for the loads
MIN_CALLS, MAX_CALLS = 100, 1000
MIN_LOADS, MAX_LOADS = FEWEST_STRETCHES, 10  # fewer loads allow no verdict
_WARM_UP_S, _WARM_UP_TURNS = 0.5, 5
_PROGRESS_S = 0.2


def take_turns(
    session: Session, contestants: Sequence[Contestant], show: Callable[[str], None]
) -> None:
    """Let all contestants take turns, as often as the plan says.

    Args:
        session: its plan is read; `calls_per_load` is set.
        contestants: those whose model was loaded.
        show: displays what is being done.
    """
    if not contestants:
        return
    turns = {str(number): contestant.turn for number, contestant in enumerate(contestants)}
    show("warming up")
    started = perf_counter()
    warm = 0
    while warm < _WARM_UP_TURNS and (not warm or perf_counter() - started < _WARM_UP_S):
        measure(turns, rounds=1, warm_up=0)
        warm += 1
    round_s = (perf_counter() - started) / warm
    calls = session.plan.calls
    if calls is None:
        calls = int(np.clip(CALLS_PER_TURN * BUDGET_S / round_s, MIN_CALLS, MAX_CALLS))
    rounds = -(-calls // CALLS_PER_TURN)
    load_s = sum(contestant.load_s for contestant in contestants)
    loads = int(np.clip(BUDGET_S / load_s, MIN_LOADS, MAX_LOADS))
    rounds_per_load = -(-rounds // loads)
    # Whole loads, and enough of them for a verdict.
    rounds = rounds_per_load * max(MIN_LOADS, -(-rounds // rounds_per_load))
    session.calls_per_load = CALLS_PER_TURN * rounds_per_load
    for contestant in contestants:
        contestant.counts = True
    portion = max(1, round(_PROGRESS_S / round_s))  # rounds between two updates of the progress
    for load, first in enumerate(range(0, rounds, rounds_per_load)):
        last = first + rounds_per_load
        for contestant in contestants:
            contestant.load_again()
        for done in range(first, last, portion):
            show(
                f"{len(contestants)} in turn, {done * CALLS_PER_TURN:,} of "
                f"{rounds * CALLS_PER_TURN:,} calls"
            )
            # The first reader pays for the cold file cache, so the order rotates.
            rotated = _beginning_with(turns, load + done - first)
            measure(rotated, rounds=min(portion, last - done), warm_up=0)


def _beginning_with(
    turns: Mapping[str, Callable[[], None]], number: int
) -> dict[str, Callable[[], None]]:
    """Rotate the turns so that the one with this number comes first."""
    names = list(turns)
    number %= len(names)
    return {name: turns[name] for name in names[number:] + names[:number]}
