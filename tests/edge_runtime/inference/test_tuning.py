"""What is kept for `auto`: when it counts, and what a start with it does."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from edge_runtime import Classifier
from edge_runtime.inference import delegates, shipped, tuning
from edge_runtime.inference.tuning import Chosen, Tuned, forget, keep, recall
from tests.conftest import GOLDEN, run

TUNED = Tuned(
    "tiny",
    "2026-01-02",
    Chosen("cpu", 2, 1.5, "xnnpack with 1 thread"),
    Chosen("xnnpack", 3, 1.0, "xnnpack with 3 processes"),
)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def model(home):
    return shutil.copy(GOLDEN / "logits.tflite", home / "tiny.tflite")


@pytest.fixture
def hashed(monkeypatch):
    """The files that were hashed."""
    found = []
    sha256 = tuning.file_sha256

    def counted(path):
        found.append(path)
        return sha256(path)

    monkeypatch.setattr(tuning, "file_sha256", counted)
    return found


def test_nothing_is_found_before_something_is_kept(model, hashed):
    assert recall(model) == (None, "")
    keep(shipped.models()["cnn-int8"], TUNED)
    hashed.clear()
    assert recall(model) == (None, "")  # the other has another size
    assert hashed == []


def test_what_is_kept_is_found_without_hashing_the_model(model, hashed):
    file = keep(model, TUNED)
    assert file.parent == tuning.tuned_folder()
    hashed.clear()
    assert recall(model) == (TUNED, "")
    assert hashed == []


def test_a_newer_choice_replaces_the_older_one(model):
    newer = TUNED._replace(day="2026-02-03")
    assert keep(model, TUNED) == keep(model, newer)
    assert recall(model) == (newer, "")


@pytest.mark.parametrize("moved", [False, True])
def test_a_file_that_was_touched_or_moved_is_hashed_once(model, hashed, moved):
    keep(model, TUNED)
    hashed.clear()
    if moved:
        model = model.rename(model.with_name("moved.tflite"))
    else:
        os.utime(model, ns=(0, 0))
    assert recall(model) == (TUNED, "")
    assert hashed == [model]
    assert recall(model) == (TUNED, "")
    assert hashed == [model]


def test_a_changed_file_is_looked_at_again(model):
    keep(model, TUNED)
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    assert recall(model) == (None, "")


@pytest.mark.parametrize(
    "name", ["usable cores", "LiteRT", "OpenVINO", "edge-classify", "GPU drivers"]
)
def test_a_changed_driver_or_version_is_named(model, monkeypatch, name):
    keep(model, TUNED)
    now = tuning.circumstances()
    monkeypatch.setattr(tuning, "circumstances", lambda: {**now, name: "other"})
    tuned, note = recall(model)
    assert tuned is None
    assert note == (
        f"what was tuned on 2026-01-02 is not used, because these changed: {name}; run "
        f"edge-benchmark --tune again"
    )


def test_each_cpu_has_its_own_choice(model, monkeypatch):
    here = tuning.circumstances()
    there = {**here, "CPU": "Cortex-A72 + Cortex-A76"}
    keep(model, TUNED)
    monkeypatch.setattr(tuning, "circumstances", lambda: there)
    assert recall(model) == (None, "")
    other = TUNED._replace(day="2026-02-03")
    assert keep(model, other).name.endswith("-Cortex-A72---Cortex-A76.json")
    assert recall(model) == (other, "")
    monkeypatch.setattr(tuning, "circumstances", lambda: here)
    assert recall(model) == (TUNED, "")


def test_the_circumstances_are_known():
    found = tuning.circumstances()
    assert found["LiteRT"].startswith("ai_edge_litert-")
    assert found["CPU"]
    assert found["usable cores"] >= 1


def damaged(change):
    def changed(text):
        fields = json.loads(text)
        change(fields)
        return json.dumps(fields)

    return changed


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[:100],
        lambda text: "[" * 50_000,
        lambda text: "[1]",
        lambda text: "\udcff",
        damaged(lambda fields: fields.update(format="edge-tuned 2")),
        damaged(lambda fields: fields.pop("many")),
        damaged(lambda fields: fields.update(one=None)),
        damaged(lambda fields: fields.update(place=7)),
        damaged(lambda fields: fields.update(circumstances=[])),
        damaged(lambda fields: fields.update(tuned="yesterday")),
        damaged(lambda fields: fields["one"].update(delegate="/tmp/evil.so")),
        damaged(lambda fields: fields["one"].update(threads=0)),
        damaged(lambda fields: fields["one"].update(threads=100_000)),
        damaged(lambda fields: fields["one"].update(threads="2")),
        damaged(lambda fields: fields["many"].update(extra=1)),
    ],
)
def test_a_damaged_file_is_ignored_and_written_anew(model, damage):
    file = keep(model, TUNED)
    file.write_text(damage(file.read_text()), errors="surrogateescape")
    assert recall(model) == (None, "")
    assert keep(model, TUNED) == file
    assert recall(model) == (TUNED, "")


def test_what_is_forgotten_is_named(model, hashed):
    other = shipped.models()["cnn-int8"]
    keep(model, TUNED)
    keep(other, TUNED._replace(model="cnn-int8"))
    assert forget(model) == [
        "tiny, tuned on 2026-01-02: cpu with 2 threads (1.50 times as fast as xnnpack with 1 "
        "thread), and for many images xnnpack with 3 processes (no other was faster)"
    ]
    assert forget(model) == []
    assert recall(model) == (None, "")
    assert recall(other)[0].model == "cnn-int8"


def test_everything_can_be_forgotten_but_foreign_files_stay(model):
    file = keep(model, TUNED)
    wreck = file.with_name("12-0123456789abcdef-CPU.json")
    wreck.write_text("damaged")
    foreign = file.with_name("notes.json")
    foreign.write_text("precious")
    assert {what.partition(",")[0] for what in forget()} == {str(wreck), "tiny"}
    assert list(file.parent.iterdir()) == [foreign]


def test_a_user_without_a_home_has_nothing(model, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    assert recall(model) == (None, "")
    assert forget() == []
    with pytest.raises(OSError, match="there is no home folder"):
        keep(model, TUNED)


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
