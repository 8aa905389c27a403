import pytest

from benchmarks.contenders import Contender
from benchmarks.cross_check import cross_check
from benchmarks.results import Results, Subject
from tests.benchmarks.test_latency_pass import MODEL, Busy


def test_litert_s_own_timer_measures_too():
    mine = Contender(
        Subject("cnn", "int8", "edge_runtime", "xnnpack"), MODEL, 1, "", lambda: Busy(100)
    )
    results = Results()
    results.row(mine.subject).latency = {}
    cross_check([mine], results)
    [found] = results.cross_check
    assert found["ours_ms"] == pytest.approx(0.1, rel=0.3)
    assert found["litert_benchmark_ms"] > 0.01


def test_ctrl_c_ends_the_run():
    mine = Contender(
        Subject("cnn", "int8", "edge_runtime", "xnnpack"), MODEL, 1, "", lambda: Busy(1, 1)
    )
    results = Results()
    results.row(mine.subject).latency = {}
    with pytest.raises(KeyboardInterrupt):
        cross_check([mine], results)
