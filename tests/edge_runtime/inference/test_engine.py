"""Engines: on the CPU always, on the GPU through a software Vulkan driver if there is one."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from edge_runtime import Classifier, DelegateError
from edge_runtime.inference import shipped
from edge_runtime.inference.opening import open_engine
from edge_runtime.inference.placement import Placement
from tests.conftest import GOLDEN, run

CAT = shipped.samples()["cat"]


def results(environment, *options):
    result = run("edge-classify", "--json", *options, shipped.SAMPLES, env=environment)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


_RESNET18 = pytest.param("resnet18-int8", marks=pytest.mark.slow)  # in software, half a minute


@pytest.mark.parametrize("model", ["cnn-float32", "cnn-int8", _RESNET18])
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_gpu_agrees_with_the_cpu(vulkan, model, precision):
    # The limits of `auto`. Half precision has 11 bits, and ten layers of it may add up to a few
    # steps of 2^-11 in scores of at most 1.
    tolerance = 16 / 256 if model.endswith("int8") else 1e-3 if precision == "fp32" else 10 * 2**-11
    assert_the_gpu_agrees(vulkan, model, precision, tolerance)


def assert_the_gpu_agrees(environment, model, precision, tolerance):
    """Compare the GPU's scores of the samples with the CPU's."""
    options = ("--model", model, "--top-k", "10")
    ours = results(environment, *options, "--delegate", "gpu", "--gpu-precision", precision)
    theirs = results(environment, *options, "--delegate", "cpu")
    info = ("--info", "--json", "--delegate", "gpu", "--gpu-precision", precision, model)
    placement = json.loads(run("edge-classify", *info, env=environment).stdout)["placement"]
    assert placement["delegated"] == placement["operations"]
    for gpu, cpu in zip(ours, theirs, strict=True):
        assert gpu["delegate"] == "gpu"
        assert gpu["predictions"][0]["index"] == cpu["predictions"][0]["index"]
        scores = [{p["index"]: p["score"] for p in r["predictions"]} for r in (gpu, cpu)]
        difference = max(abs(scores[0][i] - scores[1][i]) for i in range(10))
        assert difference <= tolerance


def test_the_gpu_runs_a_taught_model(vulkan, taught):
    options = ("--json", "--top-k", "3", "--model", taught)
    images = sorted((taught.parent / "drawn").glob("*/00[0-2].png"))
    ours, theirs = (
        run("edge-classify", *options, "--delegate", delegate, *images, env=vulkan)
        for delegate in ("gpu", "xnnpack")
    )
    assert ours.returncode == 0, ours.stderr
    for a, b in zip(ours.stdout.splitlines(), theirs.stdout.splitlines(), strict=True):
        gpu, cpu = ({p["label"]: p["score"] for p in json.loads(x)["predictions"]} for x in (a, b))
        assert gpu == pytest.approx(cpu, abs=16 / 256)


def test_the_gpu_logs_nothing(vulkan):
    result = run("edge-classify", "--delegate", "gpu", CAT, env=vulkan)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("model", "delegated", "outside"),
    [
        ("cnn-int8", 29, ("QUANTIZE", "SOFTMAX", "CONCATENATION", "QUANTIZE")),
        ("cnn-float32", 30, ("CONCATENATION",)),
        ("resnet18-int8", 45, ("QUANTIZE", "SOFTMAX", "QUANTIZE")),
    ],
)
def test_the_placement_names_what_xnnpack_leaves(model, delegated, outside):
    placement = Classifier(model).placement
    assert placement == Placement("xnnpack", 1, delegated, delegated + len(outside), outside)


def test_cpu_is_another_engine_than_xnnpack():
    """Their int8 kernels round differently, so some score must differ."""
    images = list(shipped.samples().values())
    one, other = (Classifier(delegate=d) for d in ("xnnpack", "cpu"))
    differences = [np.abs(one.scores(p) - other.scores(p)).max() for p in images]
    assert 0 < max(differences) <= 16 / 256
    assert other.placement.delegate == "cpu"


@pytest.mark.parametrize(
    ("name", "integer"),
    [("uint8", True), ("int8", True), ("int16", True), ("float32", False), ("logits", False)],
)
def test_graphs_with_integer_arithmetic_are_marked(name, integer):
    assert open_engine(GOLDEN / f"{name}.tflite").integer is integer


def test_a_missing_library_and_one_that_is_not_a_delegate():
    import _ctypes

    with pytest.raises(DelegateError, match="it is not a LiteRT delegate"):
        Classifier(delegate=_ctypes.__file__)
    with pytest.raises(DelegateError, match=r"libnope\.so cannot be loaded .*expected xnnpack"):
        Classifier(delegate="libnope.so")
    result = run("edge-classify", "--delegate", "GPU|CPU", CAT)
    assert (result.returncode, result.stdout) == (2, "")
    assert "but got GPU|CPU" in " ".join(result.stderr.split())


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
def test_an_external_delegate_must_take_an_operation(tmp_path, prepared, refuses, reason):
    (tmp_path / "d.c").write_text(EXTERNAL)
    library = tmp_path / "libd.so"
    flags = [f"-DPREPARED={prepared}", f"-DREFUSES={refuses}"]
    subprocess.run(["gcc", "-shared", "-fPIC", *flags, "-o", library, tmp_path / "d.c"], check=True)
    with pytest.raises(DelegateError, match=reason):
        Classifier(delegate=str(library))
