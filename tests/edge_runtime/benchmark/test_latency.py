"""How often models are loaded, and in which order they take turns."""

import shutil

import pytest

from edge_runtime.benchmark import contestant, latency
from edge_runtime.benchmark.pipeline import Setting
from edge_runtime.benchmark.run import run
from edge_runtime.benchmark.session import CALLS_PER_TURN
from tests.edge_runtime.benchmark.test_run import TINY, plan


@pytest.fixture
def opened(monkeypatch):
    """The settings of all pipelines that were opened, in order."""
    found = []

    class CountingPipeline(contestant.Pipeline):
        def __init__(self, setting):
            found.append(setting)
            super().__init__(setting)

    monkeypatch.setattr(contestant, "Pipeline", CountingPipeline)
    return found


@pytest.mark.parametrize(
    ("calls", "loads", "made"), [(5, 6, 30), (20, 6, 30), (40, 8, 40), (60, 6, 60), (110, 8, 120)]
)
def test_every_model_is_loaded_several_times(opened, calls, loads, made):
    """Each load has equally many calls, and there are enough loads for a verdict."""
    session = run(plan(TINY, "cnn-int8", calls=calls))
    assert [setting.model for setting in opened] == [TINY, "cnn-int8"] * (1 + loads)
    assert [len(row.times) for row in session.rows] == [made, made]
    assert made / session.calls_per_load == loads


@pytest.mark.parametrize("calls", [30, 60, 300])
def test_every_row_is_equally_often_the_first_to_open_an_image(monkeypatch, opened, calls):
    """This also holds for the first turn after each load."""
    measure = latency.measure
    first_of_all, first_of_loads, loads = [], [], []

    def watched(turns, *, rounds, warm_up):
        names = list(turns)
        first_of_all.extend(names[number % len(names)] for number in range(rounds))
        if loads != [len(opened)]:
            loads[:] = [len(opened)]
            first_of_loads.append(names[0])
        return measure(turns, rounds=rounds, warm_up=warm_up)

    monkeypatch.setattr(latency, "measure", watched)
    run(plan(*[TINY] * 3, calls=calls))
    for firsts in (first_of_all[-calls // CALLS_PER_TURN :], first_of_loads[1:]):
        counts = [firsts.count(name) for name in "012"]
        assert max(counts) - min(counts) <= len(counts)


def test_a_model_that_loads_slowly_is_loaded_less_often(monkeypatch):
    monkeypatch.setattr(latency, "BUDGET_S", 0.0)
    assert run(plan(TINY, calls=60)).calls_per_load == 60 // latency.MIN_LOADS


def test_a_model_that_cannot_be_loaded_again_does_not_end_the_others(tmp_path):
    path = tmp_path / "model.tflite"
    shutil.copy(TINY, path)
    session = run(plan(str(path), TINY), lambda text: "in turn" in text and path.unlink(True))
    gone, stays = session.rows
    assert "There is no model" in gone.error
    assert 0 < len(gone.times) < len(stays.times) == 50


def test_auto_chooses_once(monkeypatch):
    requested = []

    class ChoosingPipeline(contestant.Pipeline):
        def __init__(self, setting):
            requested.append(setting.delegate)
            super().__init__(setting._replace(delegate="cpu"))

    monkeypatch.setattr(contestant, "Pipeline", ChoosingPipeline)
    [row] = run(plan(Setting(TINY, "auto"))).rows
    assert requested[0] == "auto"
    assert set(requested[1:]) == {"cpu"}
    assert row.setting.delegate == "auto"


def test_the_number_of_calls_follows_from_their_time(monkeypatch):
    monkeypatch.setattr(latency, "BUDGET_S", 0.5)
    monkeypatch.setattr(latency, "MIN_CALLS", 10)
    quick, slow = (
        len(run(plan(Setting(model, "cpu"), calls=None)).rows[0].times)
        for model in (TINY, "cnn-int8")
    )
    assert quick > slow >= 10
    assert quick <= latency.MAX_CALLS
