"""`edge-classify --check`: whether models compute here what they should."""

import json
import shutil

import numpy as np
import pytest

from edge_runtime import check
from edge_runtime.inference import check as module
from edge_runtime.inference import shipped
from export import record_scores
from tests.conftest import GOLDEN, run


def test_the_shipped_models_are_right_here():
    verdicts = check(delegates=["xnnpack", "cpu"])
    assert [v.model for v in verdicts] == [n for n in shipped.models() for _ in range(2)]
    for verdict in verdicts:
        assert verdict.right, str(verdict)
        assert (verdict.labels, verdict.images, verdict.compared_with) == (10, 10, "recorded")
        assert verdict.difference <= 2.5 / 256


def test_the_record_is_what_is_computed(tmp_path, monkeypatch):
    """On Arm, the built-in kernels round otherwise; the record is made on x86-64."""
    import platform

    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("the record is made on x86-64")
    kept = json.loads(module.RECORD.read_text())
    monkeypatch.setattr(record_scores, "RECORD", tmp_path / "scores.json")
    record_scores.main()
    made = json.loads((tmp_path / "scores.json").read_text())
    assert kept.keys() == made.keys() == shipped.models().keys()
    for name in kept:
        assert kept[name]["sha256"] == made[name]["sha256"]
        for delegate in ("xnnpack", "cpu"):
            np.testing.assert_allclose(kept[name][delegate], made[name][delegate], atol=2.5 / 256)


def test_other_models_are_compared_with_the_built_in_kernels(tmp_path):
    path = shutil.copy(shipped.models()["cnn-int8"], tmp_path / "mine.tflite")
    [verdict] = check([path], ["xnnpack"])
    assert verdict.right
    assert (verdict.model, verdict.compared_with) == ("mine", "on the built-in kernels")


def test_wrong_scores_are_said(monkeypatch):
    """A CPU that computes something else is stood in for by another record."""
    record = json.loads(module.RECORD.read_text())
    for delegate in ("xnnpack", "cpu"):
        record["cnn-int8"][delegate] = record["cnn-int8"][delegate][::-1]
    monkeypatch.setattr(module.json, "loads", lambda text: record)
    [verdict] = check(["cnn-int8"], ["xnnpack"])
    assert verdict.right is False
    assert str(verdict).startswith("cnn-int8 on xnnpack: WRONG (")


def test_the_command_names_the_machine_and_every_delegate():
    result = run("edge-classify", "--check", "cnn-int8")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert any("Python 3" in line and "ai-edge-litert" in line for line in lines)
    assert "cnn-int8 on xnnpack: right (10 of 10 images as recorded" in result.stdout
    assert "cnn-int8 on npu: not available (" in result.stdout
    found = json.loads(run("edge-classify", "--check", "cnn-int8", "--json").stdout)
    assert found["environment"]["python"]
    assert found["verdicts"][0]["right"] is True


def test_a_delegate_that_was_named_must_be_there():
    assert run("edge-classify", "--check", "cnn-int8", "--delegate", "npu").returncode == 1


def test_a_damaged_model_does_not_hide_the_others(tmp_path):
    (tmp_path / "page.tflite").write_text("<html>")
    models = [tmp_path / "page.tflite", "cnn-int8"]
    result = run("edge-classify", "--check", *models, "--delegate", "cpu")
    assert result.returncode == 1
    assert "page.tflite is not a valid .tflite model" in result.stderr
    assert "cnn-int8 on cpu: right (10 of 10 images" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--check", GOLDEN / "no_image.tflite"], 1),
        (["--check", "none.tflite"], 1),
        (["--check", "--csv"], 2),
        (["--check", "--info", "cnn-int8"], 2),
        (["--check", "--model", "cnn-int8"], 2),
    ],
)
def test_what_cannot_be_checked(arguments, code):
    result = run("edge-classify", *arguments)
    assert (result.returncode, result.stdout) == (code, "")
    assert result.stderr
