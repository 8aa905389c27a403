"""Comparisons of rows whose times are made up."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from edge_runtime.benchmark.pipeline import STAGES, Setting
from edge_runtime.benchmark.record import to_record
from edge_runtime.benchmark.session import END_TO_END, Measurement, Session
from edge_runtime.benchmark.table import to_text
from edge_runtime.benchmark.verdicts import evaluate
from edge_runtime.inference.placement import Placement
from edge_runtime.support.environment import read_environment
from tests.edge_runtime.benchmark.test_run import plan


def session_of(*calls: int) -> Session:
    """Return a session whose rows have so many calls; row n takes n + 1 times as long."""
    rng = np.random.default_rng(0)
    rows = []
    for number, length in enumerate(calls):
        times = rng.integers(100_000, 101_000, (length, len(STAGES)))
        rows.append(Measurement(Setting("model"), times=(number + 1) * times))
    return Session(plan("model"), None, read_environment(), rows)


def test_rows_of_unequal_length_are_compared():
    """An interruption may leave one row a turn more than another."""
    session = session_of(195, 200)
    evaluate(session)
    base, other = session.rows
    assert (base.stages["invoke"].calls, other.stages["invoke"].calls) == (195, 200)
    for stage in ("invoke", END_TO_END):
        assert other.against[stage].ratio == pytest.approx(2, rel=0.01)
        assert other.against[stage].verdict == "slower"


def test_too_few_loads_are_a_verdict_of_their_own():
    """After an interruption, in the table and in the record too."""
    session = session_of(200, 200)
    session.calls_per_load = 50  # so there are four loads
    evaluate(session)
    [compared] = {c.verdict for c in session.rows[1].against.values()}
    assert compared == "too few calls to tell"
    for row in session.rows:
        row.placement = Placement("xnnpack", 1, 1, 1, ())
    session.started = datetime(2026, 1, 1, tzinfo=UTC)
    [line] = [x for x in to_text(session).splitlines() if x.endswith("too few calls to tell")]
    assert line.count("too few calls to tell") == 2  # of the model alone, and end to end
    row = json.loads(json.dumps(to_record(session)))["rows"][1]
    assert row["against_baseline"]["invoke"]["verdict"] == "too few calls to tell"


def test_rows_without_times_have_no_figures():
    session = session_of(0, 200)
    evaluate(session)
    assert session.baseline is session.rows[1]
    assert session.rows[0].stages == session.rows[0].against == {}


def test_nothing_was_measured():
    session = session_of(0, 0)
    evaluate(session)
    assert session.baseline is None
