"""Percentiles and comparisons, computed from the times of a benchmark."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.benchmark.pipeline import STAGES
from edge_runtime.benchmark.session import CALLS_PER_TURN, END_TO_END, Measurement, Session
from edge_runtime.support.timing import TimeRatio, compare_times, summarize


def evaluate(session: Session) -> None:
    """Choose the baseline, and fill in the percentiles and comparisons of every row.

    Rows without times stay as they are.
    """
    measured = [row for row in session.rows if len(row.times)]
    wanted = [r for r in measured if r.setting.model == session.plan.baseline]
    session.baseline = next(iter(wanted or measured), None)
    for row in measured:
        for name, times in _series(row).items():
            row.stages[name] = summarize(times, stretch=session.calls_per_load)
        if session.baseline is None or row is session.baseline:
            continue
        same_batch = row.setting.batch == session.baseline.setting.batch
        for name in ("invoke", END_TO_END) if same_batch else ("invoke",):
            row.against[name] = compare_rows(session, session.baseline, row, name)


def compare_rows(session: Session, base: Measurement, other: Measurement, stage: str) -> TimeRatio:
    """Say whether one row is slower or faster than another, turn by turn.

    Args:
        session: the benchmark that both belong to.
        base: a row with times.
        other: another one.
        stage: one of `STAGES`, or `END_TO_END`.
    """
    # After an interruption one row may have a turn more than another.
    calls = min(len(base.times), len(other.times))
    return compare_times(
        _turn_medians(_series(base)[stage][:calls]),
        _turn_medians(_series(other)[stage][:calls]),
        stretch=session.calls_per_load // CALLS_PER_TURN,
    )


def _turn_medians(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the median of each turn."""
    medians: NDArray[np.int64] = np.median(times.reshape(-1, CALLS_PER_TURN), axis=1).astype(
        np.int64
    )
    return medians


def _series(row: Measurement) -> dict[str, NDArray[np.int64]]:
    stages = {name: row.times[:, column] for column, name in enumerate(STAGES)}
    return stages | {END_TO_END: row.times.sum(axis=1)}
