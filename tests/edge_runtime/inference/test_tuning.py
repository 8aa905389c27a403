"""What is kept for `auto`: where it is found, when it counts, and how it is forgotten."""

import json
import os

import pytest

from edge_runtime.inference import shipped, tuning
from edge_runtime.inference.tuning import forget, keep, recall
from tests.edge_runtime.inference.conftest import TUNED


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
