import shutil

import numpy as np
import pytest

from edge_runtime.benchmark import session as session_module
from edge_runtime.benchmark.pictures import find_pictures
from edge_runtime.benchmark.pipeline import STAGES, Setting
from edge_runtime.benchmark.session import END_TO_END, TURN, Plan, run
from edge_runtime.inference import shipped
from tests.conftest import GOLDEN

TINY = str(GOLDEN / "logits.tflite")
PICTURES = find_pictures([], print)


def plan(*models: str, **options) -> Plan:
    settings = [m if isinstance(m, Setting) else Setting(m) for m in models]
    return Plan(settings, PICTURES, **{"calls": 50, "cold_starts": 0, **options})


def interrupt_when(word: str):
    """A report that presses Ctrl-C when something begins for the second time."""
    seen = []

    def report(text: str) -> None:
        seen.append(word in text)
        if seen[-1] and sum(seen) == 2:
            raise KeyboardInterrupt

    return report


def test_a_model_is_not_told_from_itself():
    """Several times, for one of twenty intervals may miss."""
    verdicts = []
    for _ in range(3):
        _, again = run(plan("cnn-int8", "cnn-int8", calls=200)).rows
        verdicts += [comparison.verdict for comparison in again.against.values()]
    assert verdicts.count("indistinguishable") >= 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_large_model_is_not_told_from_itself():
    """A hundred times, though one load of it is some percent faster than another."""
    verdicts = []
    for _ in range(25):
        rows = run(plan(*["resnet18-int8"] * 5, calls=100)).rows
        verdicts += [row.against["invoke"].verdict for row in rows[1:]]
    assert len(verdicts) - verdicts.count("indistinguishable") <= 5


@pytest.mark.parametrize(
    ("calls", "loads", "made"), [(5, 6, 30), (20, 6, 30), (40, 8, 40), (60, 6, 60), (110, 8, 120)]
)
def test_every_model_is_loaded_again_and_again(monkeypatch, calls, loads, made):
    """In as many calls each time, and often enough for a verdict."""
    opened = []

    class Counting(session_module.Pipeline):
        def __init__(self, setting):
            opened.append(setting.model)
            super().__init__(setting)

    monkeypatch.setattr(session_module, "Pipeline", Counting)
    session = run(plan(TINY, "cnn-int8", calls=calls))
    assert opened == [TINY, "cnn-int8"] * (1 + loads)
    assert [len(row.times) for row in session.rows] == [made, made]
    assert made / session.calls_of_a_load == loads


@pytest.mark.parametrize("calls", [30, 60, 300])
def test_every_row_is_as_often_the_first_to_open_a_picture(monkeypatch, calls):
    """Even where a load is as many rounds as there are rows, after it too."""
    measure = session_module.measure
    first_of_all, first_of_loads, loads = [], [], []

    def watched(turns, *, rounds, warm_up):
        names = list(turns)
        first_of_all.extend(names[number % len(names)] for number in range(rounds))
        if loads != [opened]:
            loads[:] = [opened]
            first_of_loads.append(names[0])
        return measure(turns, rounds=rounds, warm_up=warm_up)

    class Counting(session_module.Pipeline):
        def __init__(self, setting):
            nonlocal opened
            opened += 1
            super().__init__(setting)

    opened = 0
    monkeypatch.setattr(session_module, "measure", watched)
    monkeypatch.setattr(session_module, "Pipeline", Counting)
    run(plan(*[TINY] * 3, calls=calls))
    for firsts in (first_of_all[-calls // TURN :], first_of_loads[1:]):
        counts = [firsts.count(name) for name in "012"]
        assert max(counts) - min(counts) <= len(counts)


def test_a_model_that_takes_long_to_load_is_loaded_less_often(monkeypatch):
    monkeypatch.setattr(session_module, "_BUDGET_S", 0.0)
    assert run(plan(TINY, calls=60)).calls_of_a_load == 60 // session_module.MIN_LOADS


def test_a_model_that_cannot_be_loaded_again_ends_no_other_row(tmp_path):
    path = tmp_path / "model.tflite"
    shutil.copy(TINY, path)
    session = run(plan(str(path), TINY), lambda text: "in turn" in text and path.unlink(True))
    gone, stays = session.rows
    assert "There is no model" in gone.error
    assert 0 < len(gone.times) < len(stays.times) == 50


def test_all_is_measured():
    session = run(plan("cnn-int8", TINY, cold_starts=2, sustained_s=0.3))
    assert not session.interrupted
    assert session.conditions.keys() == {"latency", "cold start", "sustained"}
    first, second = session.rows
    for row in session.rows:
        assert row.error is None
        assert row.times.shape == (50, len(STAGES))
        assert (row.times > 0).all()
        assert row.stages.keys() == {*STAGES, END_TO_END}
        parts = sum(row.stages[stage].p50_us for stage in STAGES)
        assert row.stages[END_TO_END].p50_us == pytest.approx(parts, rel=0.25)
        assert row.images_per_s == pytest.approx(1e9 / row.times.sum(axis=1).mean())
        assert len(row.cold) == 2
        assert row.sustained.seconds >= 0.3
        assert row.model_bytes > 100
        assert len(row.model_sha256) == 64
    assert session.baseline is first
    assert first.against == {}
    assert second.against["invoke"].verdict == "faster"
    assert second.against["invoke"].ratio < 0.5


def test_a_batch_counts_by_the_image():
    one, eight = run(plan(Setting("cnn-int8"), Setting("cnn-int8", batch=8))).rows
    assert eight.stages["invoke"].p50_us < 3 * one.stages["invoke"].p50_us
    # A turn of either is about other pictures, some of which take longer to decode.
    assert eight.against.keys() == {"invoke"}


def test_auto_chooses_once(monkeypatch):
    asked = []

    class Choosing(session_module.Pipeline):
        def __init__(self, setting):
            asked.append(setting.delegate)
            super().__init__(setting._replace(delegate="cpu"))

    monkeypatch.setattr(session_module, "Pipeline", Choosing)
    [row] = run(plan(Setting(TINY, "auto"))).rows
    assert asked[0] == "auto"
    assert set(asked[1:]) == {"cpu"}
    assert row.setting.delegate == "auto"


def test_the_number_of_calls_follows_from_the_time_they_take(monkeypatch):
    monkeypatch.setattr(session_module, "_BUDGET_S", 0.5)
    monkeypatch.setattr(session_module, "MIN_CALLS", 10)
    quick, slow = (
        len(run(plan(Setting(model, "cpu"), calls=None)).rows[0].times)
        for model in (TINY, "cnn-int8")
    )
    assert quick > slow >= 10
    assert quick <= session_module.MAX_CALLS


def test_another_baseline():
    session = run(plan(TINY, "cnn-int8", baseline="cnn-int8"))
    assert session.baseline is session.rows[1]
    assert session.rows[0].against["invoke"].verdict == "faster"


def test_what_cannot_be_measured_leaves_the_others_alone():
    session = run(plan("nothing", Setting("cnn-int8", "npu"), "cnn-int8", TINY, cold_starts=1))
    missing, npu, good, tiny = session.rows
    assert "There is no model nothing" in missing.error
    assert "NPU" in npu.error
    assert not missing.stages and not npu.stages and not npu.cold
    assert good.error is tiny.error is None
    assert session.baseline is good
    assert tiny.against.keys() == {"invoke", END_TO_END}


def test_a_baseline_that_fails_is_replaced():
    session = run(plan("nothing", "cnn-int8", baseline="nothing"))
    assert session.baseline is session.rows[1]


def test_a_picture_that_disappears_ends_no_other_row(tmp_path):
    path = tmp_path / "cat.png"
    shutil.copy(shipped.samples()["cat"], path)
    pictures = find_pictures([str(path)], print)
    path.unlink()
    session = run(Plan([Setting(TINY)], pictures, calls=20, cold_starts=0))
    assert "There is no file" in session.rows[0].error


@pytest.mark.parametrize(
    ("word", "calls", "cold", "passes"),
    [
        ("in turn", True, 0, {"latency"}),
        ("cold starts", True, 1, {"latency", "cold start"}),
        (" for ", True, 2, {"latency", "cold start", "sustained"}),
    ],
)
def test_an_interruption_keeps_what_there_is(word, calls, cold, passes):
    # So slow that there are several portions.
    settings = [Setting("cnn-int8", "cpu"), Setting("cnn-float32", "cpu")]
    plan_ = Plan(settings, PICTURES, calls=200, cold_starts=1, sustained_s=0.2)
    session = run(plan_, interrupt_when(word))
    assert session.interrupted
    assert session.conditions.keys() == passes
    first, second = session.rows
    assert (len(first.times) > 0) is calls
    assert (len(first.times) < 200) is (word == "in turn")
    assert len(first.cold) + len(second.cold) == cold
    assert (first.sustained is not None) is (word == " for ")
    assert second.sustained is None
    assert second.against.keys() == {"invoke", END_TO_END}


def test_what_is_only_to_be_counted_is_told(monkeypatch):
    """From then on the command lets no Ctrl-C come through, which would lose all."""
    order = []
    judge = session_module._judge
    monkeypatch.setattr(session_module, "_judge", lambda s: (order.append("judged"), judge(s)))
    run(plan(TINY), lambda text: order.append(text), lambda: order.append("measured"))
    assert order[-3:] == ["measured", "statistics", "judged"]


def test_an_interruption_during_warm_up_leaves_no_times():
    def report(text: str) -> None:
        if "warming" in text:
            raise KeyboardInterrupt

    session = run(plan(TINY), report)
    assert session.interrupted
    assert session.baseline is None
    assert session.rows[0].times.shape == (0, len(STAGES))


def test_rows_that_an_interruption_left_of_unequal_length_are_compared(monkeypatch):
    session = run(plan(TINY, TINY))
    session.rows[0].times = session.rows[0].times[:-5]
    session_module._judge(session)
    assert session.rows[1].against["invoke"].ratio > 0
    assert np.isfinite(session.rows[1].against["invoke"].high)
