from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import Classifier, DelegateError, ModelError, available_delegates
from edge_runtime.inference import delegates, interpreter, shipped
from edge_runtime.inference.delegates import difference_from
from edge_runtime.inference.opening import open_engine
from tests.conftest import GOLDEN


def test_auto_takes_the_fastest_that_agrees():
    classifier = Classifier(delegate="auto")
    chosen = classifier.placement.delegate
    assert classifier.delegate == "auto"
    assert chosen in ("xnnpack", "openvino")  # both are fast
    assert classifier.reason.startswith(f"{chosen}: {chosen} ")
    assert "cpu " in classifier.reason
    assert "not npu" in classifier.reason


def test_auto_opens_each_engine_once(monkeypatch):
    """GPU and NPU take what they need to know of the graph from the CPU's engine."""
    opened = []

    def counted(**options):
        opened.append(options["experimental_op_resolver_type"].name)
        return real(**options)

    real = interpreter.Interpreter
    monkeypatch.setattr(interpreter, "Interpreter", counted)
    Classifier(delegate="auto")
    assert opened == ["BUILTIN_WITHOUT_DEFAULT_DELEGATES", "AUTO"]


class Fake:
    """An engine whose scores are changed."""

    def __init__(self, real, name, change=0.0, shift=0):
        self.input, self.output, self.scoring = real.input, real.output, real.scoring
        self.integer = real.integer
        self.placement = real.placement._replace(delegate=name)
        self._real, self._change, self._shift = real, change, shift

    def run(self, image):
        scores = self._real.run(image).astype(np.float32) + self._change
        return np.roll(scores, self._shift)


@pytest.mark.parametrize(
    ("change", "shift", "reason"),
    [
        (0.0, 0, None),
        (0.9e-3, 0, None),
        (2e-3, 0, "differ from the CPU's by 0.002"),
        (np.nan, 0, "differ from the CPU's by nan"),
        (0.0, 1, "differ"),
    ],
)
def test_auto_rejects_an_engine_that_disagrees(change, shift, reason):
    real = open_engine(GOLDEN / "float32.tflite", delegate="cpu")
    images = [np.random.default_rng(0).random((1, 4, 4, 3), np.float32)]
    expected = [real.run(images[0])]
    difference = difference_from(expected, Fake(real, "x", change, shift), images)
    assert difference is None if reason is None else reason in difference


class Constant:
    """An engine that gives every image the same scores."""

    def __init__(self, scores):
        self._scores = np.array(scores, np.float32)
        self.output = open_engine(GOLDEN / "float32.tflite").output

    def run(self, image):
        return self._scores


@pytest.mark.parametrize(
    ("cpu", "ours", "wrong"),
    [
        ([0.98, 0.02], [0.98, 0.02], None),
        ([0.98, 0.02], [0.72, 0.28], None),
        ([0.98, 0.02], [0.10, 0.90], "class 0 scores 0.10, 0.98 on the CPU"),
        ([0.10, 0.08, 0.01], [0.01, 0.02, 0.10], "class 0 scores 0.01, 0.10 on the CPU"),
        ([0.70], [0.29], "class 0 scores 0.29, 0.70 on the CPU"),
        ([0.004, 0.004], [0.008, 0.004], None),  # a step of an int8 score
        ([0.0, 0.0], [0.0, 0.0], None),
        ([0.5, 0.5], [np.nan, 0.5], "class 0 scores nan"),
    ],
)
def test_a_delegate_that_computes_something_else_is_rejected(monkeypatch, cpu, ours, wrong):
    monkeypatch.setattr(delegates, "open_engine", lambda path, *, delegate: Constant(cpu))
    check = partial(
        delegates.ensure_agrees, Path("m.tflite"), images=[None], delegate="gpu", logits=False
    )
    if wrong is None:
        check(Constant(ours))
        return
    with pytest.raises(DelegateError, match=r"The gpu computes m\.tflite wrongly") as caught:
        check(Constant(ours))
    assert wrong in str(caught.value)


def test_logits_are_compared_as_scores(monkeypatch):
    monkeypatch.setattr(delegates, "open_engine", lambda path, *, delegate: Constant([9, 1]))
    check = partial(
        delegates.ensure_agrees, Path("m.tflite"), images=[None], delegate="gpu", logits=True
    )
    check(Constant([6, -2]))
    with pytest.raises(DelegateError, match=r"class 0 scores 0\.00, 1\.00 on the CPU"):
        check(Constant([1, 9]))


def test_a_model_that_the_cpu_cannot_run_is_not_judged(monkeypatch):
    """Such as a model that was compiled for an Edge TPU."""
    path = shipped.models()["cnn-int8"]
    engine = Fake(open_engine(path, delegate="cpu"), "tpu", shift=1)

    def refuses(path, *, delegate):
        raise ModelError("it has an operation of its own")

    monkeypatch.setattr(delegates, "open_engine", refuses)
    images = [np.zeros((1, 32, 32, 3), np.uint8)]
    delegates.ensure_agrees(path, engine, images, delegate="/usr/lib/libedgetpu.so.1", logits=False)


def test_auto_survives_delegates_that_fail(monkeypatch):
    def broken(path, *, delegate, **options):
        if delegate in ("xnnpack", "openvino"):
            raise DelegateError("it is broken")
        return open_engine(path, delegate=delegate, **options)

    monkeypatch.setattr(delegates, "open_engine", broken)
    classifier = Classifier(delegate="auto")
    assert classifier.placement.delegate == "cpu"
    assert "not xnnpack: it is broken" in classifier.reason


@pytest.mark.parametrize("name", ["gpu", "npu"])
def test_a_missing_delegate_is_an_error_with_a_reason(name):
    available = {a.delegate: a for a in available_delegates()}
    assert available["xnnpack"].available
    assert available["cpu"].available
    if available[name].available:
        pytest.skip(f"this machine has a {name}")
    assert f"No {name.upper()} is available here (" in available[name].reason
    with pytest.raises(DelegateError, match=f"No {name.upper()} is available here"):
        Classifier(delegate=name)
