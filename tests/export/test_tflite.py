"""The command `python -m export.tflite`, from a clean clone's files."""

import numpy as np
import pytest

from edge_runtime import Classifier, shipped
from export import calibration, tflite, verify
from export.metadata import attach
from tests.conftest import GOLDEN, ROOT, run
from train import weights
from train.architectures import simple_cnn


def export(*arguments):
    return run("-m", "export.tflite", *arguments, cwd=ROOT)


@pytest.mark.parametrize(("quantize", "name"), [("int8", "cnn-int8"), ("none", "cnn-float32")])
def test_the_shipped_files_are_what_the_command_makes(tmp_path, quantize, name):
    """Byte for byte, on one version of the tools: no model here is made by hand."""
    out = tmp_path / "new" / f"{name}.tflite"
    result = export("--quantize", quantize, "--out", out)
    assert (result.returncode, result.stderr) == (0, "")
    assert "on 500 held-out images: top-1 " in result.stdout
    assert out.read_bytes() == shipped.models()[name].read_bytes()
    assert list(out.parent.iterdir()) == [out]


def test_shipped_files_are_small():
    assert shipped.models()["cnn-int8"].stat().st_size <= 600_000


@pytest.mark.parametrize("name", ["cnn-int8", "cnn-float32"])
def test_the_shipped_files_against_keras(name):
    images = calibration.read()
    model = simple_cnn()
    weights.load(model, weights.SHIPPED / "cnn.safetensors")
    comparison = verify.compare(model, shipped.models()[name], images.held_out)
    assert comparison.images == 500
    if name == "cnn-float32":
        assert comparison.agreement == 1
        assert comparison.max_difference < 1e-5  # float32, sums in another order
    else:
        assert comparison.agreement >= 0.98
        assert comparison.top1_drop <= tflite.MAX_TOP1_DROP


def test_labels_travel_in_the_file():
    assert Classifier("cnn-int8").labels == calibration.read().class_names


def test_another_model_is_only_replaced_on_demand(tmp_path):
    out = tmp_path / "cnn.tflite"
    out.write_bytes(b"precious")
    refused = export("--quantize", "none", "--out", out)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "holds another model" in refused.stderr
    assert out.read_bytes() == b"precious"
    assert export("--quantize", "none", "--out", out, "--overwrite").returncode == 0
    assert out.read_bytes() == shipped.models()["cnn-float32"].read_bytes()
    assert export("--quantize", "none", "--out", out).returncode == 0  # the same again is fine


def test_a_file_that_loses_accuracy_is_not_written(tmp_path, monkeypatch):
    """The gate must see damage: here, calibration on nearly black images."""
    images = calibration.read()
    dark = calibration.Committed(
        images.train.take(np.arange(20)), images.held_out, images.class_names
    )
    dark.train.images[:] //= 16
    monkeypatch.setattr(calibration, "read", lambda: dark)
    out = tmp_path / "cnn.tflite"
    with pytest.raises(tflite.ExportError, match="was not written: it loses too much"):
        tflite.export_tflite(tflite.Quantization.INT8, out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "truncated", "another network"])
def test_bad_checkpoints(tmp_path, damage):
    path = tmp_path / "cnn.safetensors"
    if damage == "truncated":
        path.write_bytes((weights.SHIPPED / "cnn.safetensors").read_bytes()[:1000])
    elif damage == "another network":
        weights.save(simple_cnn(5), path)
    result = export("--checkpoint", path, "--out", tmp_path / "out.tflite")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert str(path) in result.stderr
    assert not (tmp_path / "out.tflite").exists()


def test_wrong_usage_and_unwritable_output(tmp_path):
    assert export("--quantize", "int4").returncode == 2
    (tmp_path / "file").write_text("")
    result = export("--quantize", "none", "--out", tmp_path / "file" / "cnn.tflite")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1


def test_attached_files_leave_the_graph_alone():
    graph = (GOLDEN / "unlabelled.tflite").read_bytes()
    both = attach(graph, {"b": b"2", "a": b"1"})
    assert both.startswith(graph)
    assert both == attach(graph, {"a": b"1", "b": b"2"})


def test_a_missing_extra_is_named(tmp_path):
    """As on a machine with the runtime alone."""
    hide = (
        "import sys, importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'tensorflow' else find(name, *a);"
        "sys.argv = ['x']; import runpy; runpy.run_module({!r}, run_name='__main__')"
    )
    for module, extra in (("export.tflite", "export"), ("train", "train")):
        result = run("-c", hide.format(module), cwd=ROOT)
        assert (result.returncode, result.stdout) == (1, "")
        expected = f"tensorflow not found; install with: pip install -e '.[{extra}]'\n"
        assert result.stderr == expected
