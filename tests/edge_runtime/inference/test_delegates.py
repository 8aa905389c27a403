"""Delegates: the CPU's always, the GPU's through a software Vulkan driver where there is one."""

import json
import shutil
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import Classifier, DelegateError, ModelError, available_delegates
from edge_runtime.inference import delegates, shipped
from edge_runtime.inference.engine import open_engine
from edge_runtime.inference.placement import Placement
from tests.conftest import GOLDEN, run

CAT = shipped.samples()["cat"]


def answers(environment, *options):
    result = run("edge-classify", "--json", *options, shipped.SAMPLES, env=environment)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("model", ["cnn-float32", "cnn-int8", "resnet18-int8"])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_gpu_agrees_with_the_cpu(vulkan, model, precision):
    # As `auto` demands: an int8 score's step is 1/256. Half precision has 11 bits, and ten layers
    # of it may add up to a few steps of 2^-11 in scores of at most 1.
    tolerance = 16 / 256 if model.endswith("int8") else 1e-3 if precision == "fp32" else 10 * 2**-11
    assert_the_gpu_agrees(vulkan, model, precision, tolerance)


def assert_the_gpu_agrees(environment, model, precision, tolerance):
    """Compare the GPU's scores of the samples with the CPU's."""
    options = ("--model", model, "--top-k", "10")
    ours = answers(environment, *options, "--delegate", "gpu", "--gpu-precision", precision)
    theirs = answers(environment, *options, "--delegate", "cpu")
    info = ("--info", "--json", "--delegate", "gpu", "--gpu-precision", precision, model)
    placement = json.loads(run("edge-classify", *info, env=environment).stdout)["placement"]
    assert placement["delegated"] == placement["operations"]
    for gpu, cpu in zip(ours, theirs, strict=True):
        assert gpu["delegate"] == "gpu"
        assert gpu["predictions"][0]["index"] == cpu["predictions"][0]["index"]
        scores = [{p["index"]: p["score"] for p in r["predictions"]} for r in (gpu, cpu)]
        difference = max(abs(scores[0][i] - scores[1][i]) for i in range(10))
        assert difference <= tolerance


def test_the_gpu_logs_nothing(vulkan):
    result = run("edge-classify", "--delegate", "gpu", CAT, env=vulkan)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("model", "delegated", "outside"),
    [
        ("cnn-int8", 12, ("QUANTIZE", "SOFTMAX", "QUANTIZE")),
        ("cnn-float32", 13, ()),
        ("resnet18-int8", 33, ("QUANTIZE", "SOFTMAX", "QUANTIZE")),
    ],
)
def test_xnnpack_says_what_it_leaves(model, delegated, outside):
    placement = Classifier(model).placement
    assert placement == Placement("xnnpack", 1, delegated, delegated + len(outside), outside)


def test_cpu_is_another_engine_than_xnnpack():
    """Their int8 kernels round differently, so that some score must differ."""
    pictures = list(shipped.samples().values())
    one, other = (Classifier(delegate=d) for d in ("xnnpack", "cpu"))
    differences = [np.abs(one.scores(p) - other.scores(p)).max() for p in pictures]
    assert 0 < max(differences) <= 16 / 256
    assert other.placement.delegate == "cpu"


def test_auto_takes_the_fastest_that_agrees():
    classifier = Classifier(delegate="auto")
    assert (classifier.delegate, classifier.placement.delegate) == ("auto", "xnnpack")
    assert classifier.reason.startswith("xnnpack: xnnpack ")
    assert "cpu " in classifier.reason
    assert "not npu" in classifier.reason


class Fake:
    """An engine with given answers."""

    def __init__(self, real, name, change=0.0, shift=0):
        self.input, self.output, self.gives_logits = real.input, real.output, real.gives_logits
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
def test_auto_refuses_an_engine_that_disagrees(change, shift, reason):
    real = open_engine(GOLDEN / "float32.tflite", delegate="cpu")
    images = [np.random.default_rng(0).random((1, 4, 4, 3), np.float32)]
    expected = [real.run(images[0])]
    difference = delegates._difference(Fake(real, "x", change, shift), images, expected)
    assert difference is None if reason is None else reason in difference


@pytest.mark.parametrize(
    ("name", "integer"),
    [("uint8", True), ("int8", True), ("int16", True), ("float32", False), ("logits", False)],
)
def test_which_graphs_are_rounded(name, integer):
    assert open_engine(GOLDEN / f"{name}.tflite").integer is integer


class Says:
    """An engine that gives the same scores to every image."""

    def __init__(self, scores, gives_logits=False):
        self._scores, self.gives_logits = np.array(scores, np.float32), gives_logits
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
def test_a_delegate_that_computes_something_else_is_refused(monkeypatch, cpu, ours, wrong):
    monkeypatch.setattr(delegates, "open_engine", lambda path, *, delegate: Says(cpu))
    check = partial(delegates.ensure_agrees, Path("m.tflite"), images=[None], delegate="gpu")
    if wrong is None:
        check(Says(ours))
        return
    with pytest.raises(DelegateError, match=r"The gpu computes m\.tflite wrongly") as caught:
        check(Says(ours))
    assert wrong in str(caught.value)


def test_logits_are_compared_as_scores(monkeypatch):
    monkeypatch.setattr(delegates, "open_engine", lambda path, *, delegate: Says([9, 1], True))
    check = partial(delegates.ensure_agrees, Path("m.tflite"), images=[None], delegate="gpu")
    check(Says([6, -2], True))
    with pytest.raises(DelegateError, match=r"class 0 scores 0\.00, 1\.00 on the CPU"):
        check(Says([1, 9], True))


def test_what_the_cpu_cannot_run_is_not_judged(monkeypatch):
    """As a model that was compiled for an Edge TPU."""
    path = shipped.models()["cnn-int8"]
    engine = Fake(open_engine(path, delegate="cpu"), "tpu", shift=1)

    def refuses(path, *, delegate):
        raise ModelError("it has an operation of its own")

    monkeypatch.setattr(delegates, "open_engine", refuses)
    images = [np.zeros((1, 32, 32, 3), np.uint8)]
    delegates.ensure_agrees(path, engine, images, delegate="/usr/lib/libedgetpu.so.1")


def test_auto_survives_delegates_that_fail(monkeypatch):
    def broken(path, *, delegate, **options):
        if delegate == "xnnpack":
            raise DelegateError("it is broken")
        return open_engine(path, delegate=delegate, **options)

    monkeypatch.setattr(delegates, "open_engine", broken)
    classifier = Classifier(delegate="auto")
    assert classifier.placement.delegate == "cpu"
    assert "not xnnpack: it is broken" in classifier.reason


@pytest.mark.parametrize("name", ["gpu", "npu"])
def test_what_is_not_there_is_refused_with_the_reason(name):
    available = {a.delegate: a for a in available_delegates()}
    assert available["xnnpack"].available
    assert available["cpu"].available
    if available[name].available:
        pytest.skip(f"this machine has a {name}")
    assert f"No {name.upper()} is available here (" in available[name].reason
    with pytest.raises(DelegateError, match=f"No {name.upper()} is available here"):
        Classifier(delegate=name)


def test_a_library_that_is_not_there_or_is_no_delegate():
    import _ctypes

    with pytest.raises(DelegateError, match="it is no LiteRT delegate"):
        Classifier(delegate=_ctypes.__file__)
    with pytest.raises(DelegateError, match=r"libnope\.so cannot be loaded .*expected xnnpack"):
        Classifier(delegate="libnope.so")
    result = run("edge-classify", "--delegate", "GPU|CPU", CAT)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1


EXTERNAL = """
#include <stddef.h>
#include <stdint.h>
struct delegate { void *data; int (*prepare)(void *, struct delegate *); void *unused[3];
                  int64_t flags; void *builder; };
static int prepare(void *context, struct delegate *self) { return PREPARED; }
static struct delegate one = {NULL, prepare, {NULL}, 0, NULL};
void *tflite_plugin_create_delegate(char **k, char **v, size_t n, void (*report)(const char *)) {
    if (REFUSES) { report("no device found"); return NULL; }
    return &one;
}
void tflite_plugin_destroy_delegate(void *self) {}
"""


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
@pytest.mark.parametrize(
    ("prepared", "refuses", "reason"),
    [(0, 0, "takes no operation of"), (1, 0, "cannot run"), (0, 1, r"\(.*no device found\)")],
)
def test_an_external_delegate_is_believed_only_if_it_takes_something(
    tmp_path, prepared, refuses, reason
):
    (tmp_path / "d.c").write_text(EXTERNAL)
    library = tmp_path / "libd.so"
    flags = [f"-DPREPARED={prepared}", f"-DREFUSES={refuses}"]
    subprocess.run(["gcc", "-shared", "-fPIC", *flags, "-o", library, tmp_path / "d.c"], check=True)
    with pytest.raises(DelegateError, match=reason):
        Classifier(delegate=str(library))
