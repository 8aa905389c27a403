"""All passes of a benchmark, on real models."""

import shutil
from functools import partial
from itertools import count

import numpy as np
import pytest

from edge_runtime.benchmark import contestant
from edge_runtime.benchmark import run as run_module
from edge_runtime.benchmark.images import find_images
from edge_runtime.benchmark.pipeline import STAGES, Setting
from edge_runtime.benchmark.record import to_record
from edge_runtime.benchmark.run import run
from edge_runtime.benchmark.session import END_TO_END, Plan
from edge_runtime.benchmark.sustained import sustain
from edge_runtime.inference import shipped
from edge_runtime.inference.acceptance_table import Judged, measure
from edge_runtime.inference.sidecar import write_sidecar
from tests.conftest import GOLDEN

TINY = str(GOLDEN / "logits.tflite")
IMAGES = find_images([], print)


def plan(*models: str | Setting, **options) -> Plan:
    settings = [m if isinstance(m, Setting) else Setting(m) for m in models]
    return Plan(settings, IMAGES, **{"calls": 50, "cold_starts": 0, **options})


def interrupt_when(word: str):
    """Return a progress display that presses Ctrl-C when it shows `word` for the second time."""
    seen = []

    def show(text: str) -> None:
        seen.append(word in text)
        if seen[-1] and sum(seen) == 2:
            raise KeyboardInterrupt

    return show


@pytest.fixture
def counting_clock(monkeypatch):
    """Let a long run see a clock that moves 1 ms per reading, so that it has enough calls."""
    ticks = count()
    clocked = partial(sustain, clock=lambda: next(ticks) / 1000)
    monkeypatch.setattr(contestant, "sustain", clocked)


def test_a_model_is_indistinguishable_from_itself():
    """Try several times, because one of twenty intervals may miss."""
    verdicts = []
    for _ in range(3):
        _, again = run(plan("cnn-int8", "cnn-int8", calls=200)).rows
        verdicts += [ratio.verdict for ratio in again.against.values()]
    assert verdicts.count("indistinguishable") >= 5


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_large_model_is_indistinguishable_from_itself():
    """Try a hundred times, although two loads of the model differ by some percent."""
    verdicts = []
    for _ in range(25):
        rows = run(plan(*["resnet18-int8"] * 5, calls=100)).rows
        verdicts += [row.against["invoke"].verdict for row in rows[1:]]
    assert len(verdicts) - verdicts.count("indistinguishable") <= 5


def test_everything_is_measured(counting_clock):
    session = run(plan("cnn-int8", TINY, cold_starts=2, sustained_s=0.3))
    assert not session.interrupted
    assert session.conditions.keys() == {"latency", "cold start", "sustained"}
    first, second = session.rows
    for row in session.rows:
        assert row.error is None
        assert row.times.shape == (50, len(STAGES))
        assert (row.times > 0).all()
        assert row.stages.keys() == {*STAGES, END_TO_END}
        per_image_us = row.times.sum(axis=1) / 1000
        assert row.stages[END_TO_END].p50_us == pytest.approx(np.median(per_image_us))
        assert row.images_per_s == pytest.approx(1e6 / per_image_us.mean())
        assert len(row.cold) == 2
        assert row.sustained.seconds >= 0.3
        assert row.model_bytes > 100
        assert len(row.model_sha256) == 64
    assert session.baseline is first
    assert first.against == {}
    assert second.against["invoke"].verdict == "faster"
    assert second.against["invoke"].ratio < 0.5


def test_times_of_a_batch_are_per_image():
    one, eight = run(plan(Setting("cnn-int8"), Setting("cnn-int8", batch=8))).rows
    assert eight.stages["invoke"].p50_us < 3 * one.stages["invoke"].p50_us
    # Their turns have different images, some of which take longer to decode.
    assert eight.against.keys() == {"invoke"}


def test_another_baseline():
    session = run(plan(TINY, "cnn-int8", baseline="cnn-int8"))
    assert session.baseline is session.rows[1]
    assert session.rows[0].against["invoke"].verdict == "faster"


def test_the_threshold_of_a_model_is_recorded(tmp_path):
    model = tmp_path / "mine.tflite"
    shutil.copy(TINY, model)
    best, zeros = np.linspace(0.5, 1, 40), np.zeros(40, int)
    card = measure(Judged(best, 1 - best, zeros, zeros, "40 images"), ("a", "b", "c"))
    write_sidecar(model, card, overwrite=False)
    with_one, without = to_record(run(plan(str(model), TINY, calls=20)))["rows"]
    found = {"threshold": card["threshold"], "images": 40, "accepted": 38, "wrong": 0}
    assert with_one["acceptance"] == found | {"measured_on": "40 images"}
    assert "acceptance" not in without


def test_a_setting_that_fails_does_not_end_the_others():
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


def test_an_image_that_disappears_is_an_error_of_the_row(tmp_path):
    path = tmp_path / "cat.png"
    shutil.copy(shipped.samples()["cat"], path)
    images = find_images([str(path)], print)
    path.unlink()
    session = run(Plan([Setting(TINY)], images, calls=20, cold_starts=0))
    assert "There is no file" in session.rows[0].error


@pytest.mark.parametrize(
    ("word", "cold", "passes"),
    [
        ("in turn", 0, {"latency"}),
        ("cold starts", 1, {"latency", "cold start"}),
        (" for ", 2, {"latency", "cold start", "sustained"}),
    ],
)
def test_an_interruption_keeps_what_was_measured(counting_clock, word, cold, passes):
    plan_ = plan("cnn-int8", "cnn-float32", calls=200, cold_starts=1, sustained_s=0.2)
    session = run(plan_, interrupt_when(word))
    assert session.interrupted
    assert session.conditions.keys() == passes
    first, second = session.rows
    assert len(first.times) > 0
    assert (len(first.times) < 200) is (word == "in turn")
    assert len(first.cold) + len(second.cold) == cold
    assert (first.sustained is not None) is (word == " for ")
    assert second.sustained is None
    assert second.against.keys() == {"invoke", END_TO_END}


def test_the_end_of_the_measurements_is_reported_before_the_statistics(monkeypatch):
    """From then on the command ignores Ctrl-C, which would lose all results."""
    order = []
    evaluate = run_module.evaluate
    monkeypatch.setattr(run_module, "evaluate", lambda s: (order.append("evaluated"), evaluate(s)))
    run(plan(TINY), order.append, lambda: order.append("measured"))
    assert order[-3:] == ["measured", "statistics", "evaluated"]


def test_an_interruption_during_warm_up_leaves_no_times():
    def show(text: str) -> None:
        if "warming" in text:
            raise KeyboardInterrupt

    session = run(plan(TINY), show)
    assert session.interrupted
    assert session.baseline is None
    assert session.rows[0].times.shape == (0, len(STAGES))
