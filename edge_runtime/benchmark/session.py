"""One benchmark: which passes there are, in which order, and what an interruption leaves.

First all settings in turn, then each in processes of its own, then each for long. What a setting
cannot do ends that setting alone.

In the first pass every model is loaded anew several times, for one load of a file is up to a few
percent faster than another, by where its weights come to lie in the memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from edge_runtime.benchmark.cold_start import ColdStart, cold_start
from edge_runtime.benchmark.disturbance import Conditions, Watch
from edge_runtime.benchmark.environment import Environment, read_environment
from edge_runtime.benchmark.pictures import Pictures
from edge_runtime.benchmark.pipeline import STAGES, Pipeline, Setting
from edge_runtime.benchmark.sustained import Sustained, sustain
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.placement import Placement
from edge_runtime.support.timing import Comparison, Summary, compare, measure, summarize

END_TO_END = "end_to_end"

# Strictly call by call, one model's weights would push another's out of the caches, which no
# device that runs one model sees; so each has a turn, and its first call does not count.
TURN = 5
_WARM_UP_S, _WARM_UP_TURNS = 0.5, 5
_BUDGET_S = 8.0  # for the calls of all settings where the user names no number, and for loading
MIN_CALLS, MAX_CALLS = 100, 1000
MIN_LOADS, MAX_LOADS = 6, 10


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        settings: the rows.
        pictures: what is classified, in this order over and over.
        baseline: the model whose first row the others are compared with; None is the first.
        calls: that count, of each row, or a few more for whole loads; None takes as many as fit
            into some seconds.
        cold_starts: processes for each row.
        sustained_s: the length of each row's long run; 0 for none.
    """

    settings: Sequence[Setting]
    pictures: Pictures
    baseline: str | None = None
    calls: int | None = None
    cold_starts: int = 5
    sustained_s: float = 0.0


@dataclass(slots=True)
class Row:
    """One setting and all that was measured of it.

    Attributes:
        error: why it was not, or not to the end.
        placement: what really ran the model.
        model_bytes: the size of its file.
        model_sha256: of that file.
        times: int64 (calls, stages), nanoseconds an image, in the order of `STAGES`.
        stages: percentiles of each stage, and of all together as `END_TO_END`.
        against: `invoke` and `END_TO_END` compared with the baseline's; the latter where both have
            the same batch, for else a turn is about other pictures, and some take longer.
        cold: the processes that it was started in.
        sustained: the long run.
        too_short: whether that had too few calls to tell anything.
    """

    setting: Setting
    error: str | None = None
    placement: Placement | None = None
    model_bytes: int = 0
    model_sha256: str = ""
    times: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, len(STAGES)), np.int64))
    stages: dict[str, Summary] = field(default_factory=dict)
    against: dict[str, Comparison] = field(default_factory=dict)
    cold: list[ColdStart] = field(default_factory=list)
    sustained: Sustained | None = None
    too_short: bool = False

    @property
    def images_per_s(self) -> float:
        """How many pictures become answers in a second, one batch after the other."""
        return 1e9 / float(self.times.sum(axis=1).mean())


@dataclass(slots=True)
class Session:
    """A benchmark's result, complete or not.

    Attributes:
        conditions: what happened to the machine, by pass.
        baseline: the row that others are compared with; None where nothing was measured.
        calls_of_a_load: how many calls of each row, in a row, one load of its model answered.
        interrupted: whether the user ended it before it was done.
    """

    plan: Plan
    started: datetime
    environment: Environment
    rows: list[Row]
    conditions: dict[str, Conditions] = field(default_factory=dict)
    baseline: Row | None = None
    calls_of_a_load: int = TURN
    interrupted: bool = False


def run(
    plan: Plan,
    report: Callable[[str], None] = lambda _: None,
    measured: Callable[[], None] = lambda: None,
) -> Session:
    """Measure what is planned; after an interruption (Ctrl-C), return what there is.

    Args:
        report: is told what is being done.
        measured: is called when nothing more is measured, and statistics are all that is left.
    """
    session = Session(
        plan, datetime.now(UTC), read_environment(), [Row(setting) for setting in plan.settings]
    )
    contestants: list[_Contestant] = []
    try:
        report("loading")
        contestants += filter(None, (_load(row, plan.pictures.paths) for row in session.rows))
        with _watched(session, "latency"):
            _take_turns(session, contestants, report)
        with _watched(session, "cold start", bool(plan.cold_starts)):
            _start_cold(session, report)
        with _watched(session, "sustained", bool(plan.sustained_s)):
            for contestant in contestants if plan.sustained_s else ():
                report(f"{contestant.row.setting.model} for {plan.sustained_s:g} s")
                contestant.sustain(plan.sustained_s)
    except KeyboardInterrupt:
        session.interrupted = True
    measured()
    report("statistics")
    for contestant in contestants:
        contestant.row.times = contestant.times()
    _judge(session)
    return session


@contextmanager
def _watched(session: Session, name: str, wanted: bool = True) -> Iterator[None]:
    watch = Watch()
    try:
        yield
    finally:
        if wanted:
            session.conditions[name] = watch.stop()


class _Contestant:
    """A row that takes part: its turns, and what they took once they count."""

    def __init__(self, row: Row, pictures: Sequence[Path]) -> None:
        self.row = row
        self._batch = row.setting.batch
        self._pictures = cycle(pictures)
        self._turns: list[list[tuple[int, ...]]] = []
        self.counts = False
        self._setting = row.setting
        self._load()
        if row.setting.delegate == "auto":  # which might choose another at the next time
            self._setting = row.setting._replace(delegate=self._pipeline.placement.delegate)
        row.placement = self._pipeline.placement
        row.model_bytes = self._pipeline.path.stat().st_size
        with self._pipeline.path.open("rb") as stream:
            row.model_sha256 = hashlib.file_digest(stream, "sha256").hexdigest()

    def load_again(self) -> None:
        if self.row.error is None:
            del self._pipeline  # before its successor needs the memory
            try:
                self._load()
            except EdgeRuntimeError as exc:
                self.row.error = str(exc)

    def turn(self) -> None:
        if self.row.error is None:
            try:
                turn = [self._run() for _ in range(1 + TURN)][1:]
            except EdgeRuntimeError as exc:
                self.row.error = str(exc)
            else:
                self._turns += [turn] if self.counts else []

    def times(self) -> NDArray[np.int64]:
        times = np.array(self._turns, np.int64).reshape(-1, len(STAGES))
        return times // self._batch

    def sustain(self, seconds: float) -> None:
        if self.row.error is not None:
            return
        try:
            self.row.sustained = sustain(lambda: sum(self._run()) // self._batch, seconds)
        except EdgeRuntimeError as exc:
            self.row.error = str(exc)
        self.row.too_short = self.row.error is None and self.row.sustained is None
        if self.row.sustained and not self.row.sustained.complete:
            raise KeyboardInterrupt

    def _load(self) -> None:
        begun = perf_counter()
        self._pipeline = Pipeline(self._setting)
        for _ in range(TURN):
            self._run()
        self.load_s = perf_counter() - begun

    def _run(self) -> tuple[int, ...]:
        return self._pipeline.run([next(self._pictures) for _ in range(self._batch)])


def _load(row: Row, pictures: Sequence[Path]) -> _Contestant | None:
    try:
        return _Contestant(row, pictures)
    except EdgeRuntimeError as exc:
        row.error = str(exc)
        return None


def _take_turns(
    session: Session, contestants: Sequence[_Contestant], report: Callable[[str], None]
) -> None:
    if not contestants:
        return
    turns = {str(number): contestant.turn for number, contestant in enumerate(contestants)}
    report("warming up")
    begun = perf_counter()
    warm = 0
    while warm < _WARM_UP_TURNS and (not warm or perf_counter() - begun < _WARM_UP_S):
        measure(turns, rounds=1, warm_up=0)
        warm += 1
    round_s = (perf_counter() - begun) / warm
    calls = session.plan.calls
    if calls is None:
        calls = int(np.clip(TURN * _BUDGET_S / round_s, MIN_CALLS, MAX_CALLS))
    rounds = -(-calls // TURN)
    load_s = sum(contestant.load_s for contestant in contestants)
    loads = int(np.clip(_BUDGET_S / load_s, MIN_LOADS, MAX_LOADS))
    rounds_of_a_load = -(-rounds // loads)
    # Whole loads, and so many that there can be a verdict, see `compare`.
    rounds = rounds_of_a_load * max(MIN_LOADS, -(-rounds // rounds_of_a_load))
    session.calls_of_a_load = TURN * rounds_of_a_load
    for contestant in contestants:
        contestant.counts = True
    # In portions, so that it can be told how far it is.
    portion = max(1, round(0.2 / round_s))
    for load, first in enumerate(range(0, rounds, rounds_of_a_load)):
        last = first + rounds_of_a_load
        for contestant in contestants:
            contestant.load_again()
        for done in range(first, last, portion):
            report(f"{len(contestants)} in turn, {done * TURN:,} of {rounds * TURN:,} calls")
            # Who is the first to open a picture waits for it longest: that goes round.
            by_turns = _beginning_with(turns, load + done - first)
            measure(by_turns, rounds=min(portion, last - done), warm_up=0)


def _beginning_with(
    turns: Mapping[str, Callable[[], None]], number: int
) -> dict[str, Callable[[], None]]:
    """Return the same turns from a certain one on, round and round."""
    names = list(turns)
    number %= len(names)
    return {name: turns[name] for name in names[number:] + names[:number]}


def _start_cold(session: Session, report: Callable[[str], None]) -> None:
    plan = session.plan
    for number in range(plan.cold_starts):
        for row in session.rows:
            if row.error is not None:
                continue
            report(f"cold starts, {number + 1} of {plan.cold_starts}: {row.setting.model}")
            pictures = cycle(plan.pictures.paths)
            first = [next(pictures) for _ in range(row.setting.batch)]
            try:
                row.cold.append(cold_start(row.setting, first))
            except EdgeRuntimeError as exc:
                row.error = str(exc)


def _judge(session: Session) -> None:
    measured = [row for row in session.rows if len(row.times)]
    wanted = [r for r in measured if r.setting.model == session.plan.baseline]
    session.baseline = next(iter(wanted or measured), None)
    for row in measured:
        for name, times in _series(row).items():
            row.stages[name] = summarize(times, stretch=session.calls_of_a_load)
        if session.baseline is None or row is session.baseline:
            continue
        # An interruption may leave one row a turn more than another.
        calls = min(len(row.times), len(session.baseline.times))
        alike = row.setting.batch == session.baseline.setting.batch
        for name in ("invoke", END_TO_END) if alike else ("invoke",):
            base, other = _series(session.baseline)[name], _series(row)[name]
            row.against[name] = compare(
                _turns(base[:calls]),
                _turns(other[:calls]),
                stretch=session.calls_of_a_load // TURN,
            )


def _turns(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the median of each turn."""
    medians: NDArray[np.int64] = np.median(times.reshape(-1, TURN), axis=1).astype(np.int64)
    return medians


def _series(row: Row) -> dict[str, NDArray[np.int64]]:
    stages = {name: row.times[:, column] for column, name in enumerate(STAGES)}
    return stages | {END_TO_END: row.times.sum(axis=1)}
