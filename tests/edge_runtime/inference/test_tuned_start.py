"""A start with `--delegate auto` after tuning."""

import json
import subprocess
import sys

import pytest

from edge_runtime import Classifier
from edge_runtime.inference import delegates, shipped, tuning
from edge_runtime.inference.tuning import Chosen, keep
from tests.conftest import run
from tests.edge_runtime.inference.conftest import TUNED


@pytest.fixture
def looked(monkeypatch):
    """Fail if a delegate is compared, or a model is tried in a child process."""
    monkeypatch.setattr(delegates, "choose", lambda *a, **k: pytest.fail("compared"))
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: pytest.fail("tried"))


def test_auto_uses_what_was_tuned_without_looking_again(model, looked):
    keep(model, TUNED)
    classifier = Classifier(model, delegate="auto")
    assert classifier.placement[:2] == ("cpu", 2)
    assert (classifier.delegate, classifier.threads, classifier.processes) == ("auto", 2, 1)
    assert classifier.reason == (
        "cpu, tuned on 2026-01-02: cpu with 2 threads (1.50 times as fast as xnnpack with 1 thread)"
    )
    assert classifier.classify(shipped.samples()["cat"]).predictions


def test_many_images_have_a_choice_of_their_own(model, looked):
    keep(model, TUNED)
    classifier = Classifier(model, delegate="auto", many=True)
    assert classifier.placement[:2] == ("xnnpack", 1)
    assert classifier.processes == 3
    assert classifier.reason.startswith("xnnpack, tuned on 2026-01-02: xnnpack with 3 processes")


def test_a_folder_of_few_images_has_the_threads_of_one(model, looked):
    keep(model, TUNED._replace(one=Chosen("xnnpack", 2, 1.2, "xnnpack with 1 thread")))
    for many, processes in ((False, 1), (True, 3)):
        classifier = Classifier(model, delegate="auto", many=many)
        assert classifier.placement[:2] == ("xnnpack", 2)
        assert classifier.processes == processes


def test_threads_that_the_user_names_win(model, looked):
    keep(model, TUNED)
    for many, delegate in ((False, "cpu"), (True, "xnnpack")):
        classifier = Classifier(model, delegate="auto", threads=4, many=many)
        assert classifier.placement[:2] == (delegate, 4)
        assert (classifier.threads, classifier.processes) == (4, 4)


def test_other_delegates_ignore_what_was_tuned(model, monkeypatch):
    keep(model, TUNED)
    monkeypatch.setattr(tuning, "recall", lambda path: pytest.fail("read"))
    assert Classifier(model).placement[:2] == ("xnnpack", 1)
    fp16 = Classifier(model, delegate="auto", gpu_precision="fp16")
    assert "tuned" not in fp16.reason


def test_a_delegate_that_fails_now_is_looked_for_again(model):
    keep(model, TUNED._replace(one=Chosen("npu", 1, 9.0, "xnnpack with 1 thread")))
    classifier = Classifier(model, delegate="auto")
    assert classifier.placement.delegate in ("xnnpack", "cpu")
    assert "what was tuned on 2026-01-02 fails: No NPU is available here" in classifier.reason


def test_a_choice_that_does_not_count_is_mentioned(model, monkeypatch):
    keep(model, TUNED)
    now = tuning.circumstances()
    monkeypatch.setattr(tuning, "circumstances", lambda: {**now, "GPU drivers": ["new"]})
    reason = Classifier(model, delegate="auto").reason
    assert reason.endswith("because these changed: GPU drivers; run edge-benchmark --tune again")


def test_the_command_says_what_was_tuned(model):
    keep(model, TUNED)
    result = run("edge-classify", "--info", "--json", "--delegate", "auto", model)
    placement = json.loads(result.stdout)["placement"]
    assert (placement["requested"], placement["delegate"]) == ("auto", "cpu")
    assert placement["threads"] == 2
    assert placement["reason"].startswith("cpu, tuned on 2026-01-02: cpu with 2 threads")
    result = run(
        "edge-classify", "--model", model, "--delegate", "auto", "--json", shipped.samples()["cat"]
    )
    assert json.loads(result.stdout)["delegate"] == "cpu"
    assert "auto chose cpu, tuned on 2026-01-02" in result.stderr


@pytest.mark.parametrize(
    ("delegate", "absent"),
    [
        ("xnnpack", ["edge_runtime.inference.tuning", "platformdirs"]),
        # What would cost more than it saves.
        ("auto", ["edge_runtime.inference.delegates", "importlib.metadata", "subprocess"]),
    ],
)
def test_a_start_imports_no_more_than_it_needs(home, delegate, absent):
    keep(shipped.models()["cnn-int8"], TUNED)
    program = (
        "import sys; from edge_runtime import Classifier; "
        f"Classifier(delegate={delegate!r}).classify({str(shipped.samples()['cat'])!r}); "
        f"print(*sorted({set(absent)!r} & set(sys.modules)))"
    )
    result = run("-c", program)
    assert (result.stdout, result.stderr) == ("\n", ""), sys.path


def test_a_tuned_gpu_is_used_until_its_driver_changes(model, vulkan, monkeypatch):
    for name, value in vulkan.items():
        monkeypatch.setenv(name, value)
    file = keep(model, TUNED._replace(one=Chosen("gpu", 1, 3.0, "xnnpack with 1 thread")))
    command = ("edge-classify", "--info", "--json", "--delegate", "auto", model)
    placement = json.loads(run(*command).stdout)["placement"]
    assert placement["delegate"] == "gpu"
    assert placement["reason"].startswith("gpu, tuned on 2026-01-02: gpu with 1 thread (3.00 times")
    fields = json.loads(file.read_text())
    fields["circumstances"]["GPU drivers"][0] += "0"
    file.write_text(json.dumps(fields))
    reason = json.loads(run(*command).stdout)["placement"]["reason"]
    assert "because these changed: GPU drivers" in reason
    assert " us an image" in reason
