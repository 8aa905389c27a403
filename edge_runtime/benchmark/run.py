"""Run a benchmark: the passes in their order, and what an interruption leaves.

First all settings take turns, then each starts new processes, then each runs for a long time.
What a setting cannot do ends that setting alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from edge_runtime.benchmark.cold_start import cold_start
from edge_runtime.benchmark.contestant import Contestant
from edge_runtime.benchmark.disturbance import Watch
from edge_runtime.benchmark.latency import take_turns
from edge_runtime.benchmark.session import Measurement, Plan, Session
from edge_runtime.benchmark.verdicts import evaluate
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.support.environment import read_environment


def run(
    plan: Plan,
    show: Callable[[str], None] = lambda _: None,
    on_measured: Callable[[], None] = lambda: None,
) -> Session:
    """Measure what is planned; after an interruption (Ctrl-C), return what was measured.

    Args:
        plan: what to measure.
        show: displays what is being done.
        on_measured: called after the last measurement, before the statistics.
    """
    rows = [Measurement(setting) for setting in plan.settings]
    session = Session(plan, datetime.now(UTC), read_environment(), rows)
    contestants: list[Contestant] = []
    try:
        show("loading")
        contestants += filter(None, (_load(row, plan.images.paths) for row in rows))
        with _watched(session, "latency"):
            take_turns(session, contestants, show)
        with _watched(session, "cold start", bool(plan.cold_starts)):
            _start_cold(session, show)
        with _watched(session, "sustained", bool(plan.sustained_s)):
            for contestant in contestants if plan.sustained_s else ():
                show(f"{contestant.measurement.setting.model} for {plan.sustained_s:g} s")
                contestant.sustain(plan.sustained_s)
    except KeyboardInterrupt:
        session.interrupted = True
    on_measured()
    show("statistics")
    for contestant in contestants:
        contestant.measurement.times = contestant.times()
    evaluate(session)
    return session


@contextmanager
def _watched(session: Session, name: str, wanted: bool = True) -> Iterator[None]:
    watch = Watch()
    try:
        yield
    finally:
        if wanted:
            session.conditions[name] = watch.stop()


def _load(row: Measurement, images: Sequence[Path]) -> Contestant | None:
    try:
        return Contestant(row, images)
    except EdgeRuntimeError as exc:
        row.error = str(exc)
        return None


def _start_cold(session: Session, show: Callable[[str], None]) -> None:
    plan = session.plan
    for number in range(plan.cold_starts):
        for row in session.rows:
            if row.error is not None:
                continue
            show(f"cold starts, {number + 1} of {plan.cold_starts}: {row.setting.model}")
            images = cycle(plan.images.paths)
            first = [next(images) for _ in range(row.setting.batch)]
            try:
                row.cold.append(cold_start(row.setting, first))
            except EdgeRuntimeError as exc:
                row.error = str(exc)
