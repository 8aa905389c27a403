"""The command `python -m export.tflite`, from a clean clone's files."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.inference.metadata import read_metadata
from export import pipeline, source, tflite, verify
from export.calibration import CalibrationError
from export.sensitivity import LayerError
from tests.conftest import ROOT, run
from tests.edge_runtime.inference.test_delegates import assert_the_gpu_agrees
from train import weights
from train.architectures import NETWORKS, simple_cnn
from train.cifar10 import ENVIRONMENT_VARIABLE

CHECKPOINT = weights.SHIPPED / "cnn.safetensors"
INT8, NONE = pipeline.Quantization.INT8, pipeline.Quantization.NONE
# As on a machine without the data set.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != ENVIRONMENT_VARIABLE}


@pytest.fixture(scope="module")
def sources():
    files = {network: weights.SHIPPED / f"{network}.safetensors" for network in NETWORKS}
    return {network: source.load(network, file) for network, file in files.items()}


@pytest.fixture(scope="module")
def cnn(sources):
    return sources["cnn"]


@pytest.mark.parametrize(
    ("network", "quantize", "name"),
    [
        ("cnn", "int8", "cnn-int8"),
        ("cnn", "none", "cnn-float32"),
        pytest.param("resnet18", "int8", "resnet18-int8", marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(900)  # ResNet18 on a busy machine
def test_the_shipped_files_are_what_the_command_makes(
    command, sources, tmp_path, network, quantize, name
):
    """Byte for byte, on one version of the tools: no model here is made by hand."""
    out = tmp_path / "new" / f"{name}.tflite"
    result = command("--network", network, "--quantize", quantize, "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "on the 500 committed held-out images (no data set is there): top-1 " in result.stdout
    assert "lint" not in result.stdout
    assert list(out.parent.iterdir()) == [out]
    ours, made = read_metadata(shipped.models()[name]).card, read_metadata(out).card
    if ours["tools"] == made["tools"]:
        assert out.read_bytes() == shipped.models()[name].read_bytes()
    else:
        assert {**ours, "tools": None} == {**made, "tools": None}
        images = sources[network].held_out.images
        np.testing.assert_array_equal(
            verify.file_scores(out, images), verify.file_scores(shipped.models()[name], images)
        )


def test_float16_runs_on_the_gpu(cnn, tmp_path, vulkan):
    out = tmp_path / "cnn-float16.tflite"
    pipeline.export_tflite(pipeline.Quantization.FLOAT16, out, cnn)
    assert_the_gpu_agrees(vulkan, out, "fp32", 1e-3)


def test_shipped_files_are_small():
    assert shipped.models()["cnn-int8"].stat().st_size <= 600_000
    assert shipped.models()["resnet18-int8"].stat().st_size <= 11_500_000


@pytest.mark.parametrize("name", shipped.models())
def test_the_shipped_files_against_keras(sources, name):
    start = sources[name.split("-")[0]]
    scores = verify.file_scores(shipped.models()[name], start.held_out.images)
    comparison = verify.compare(start.scores, scores, start.held_out.labels)
    assert comparison.images == 500
    if name.endswith("float32"):
        assert comparison.agreement == 1
        assert comparison.max_difference < 1e-5  # float32, sums in another order
    else:
        assert comparison.agreement >= 0.98
        assert comparison.top1_drop <= 0.005


@pytest.mark.parametrize("name", shipped.models())
def test_the_shipped_files_say_where_they_come_from(sources, name):
    start = sources[name.split("-")[0]]
    metadata = read_metadata(shipped.models()[name])
    assert metadata.labels == start.class_names == Classifier(name).labels
    assert (metadata.mean, metadata.std, metadata.fit) == ((0,) * 3, (255,) * 3, "crop")
    assert metadata.card["checkpoint_sha256"] == start.sha256
    assert metadata.card["training"]["recipe"] == start.about["recipe_name"]
    expected = None if name.endswith("float32") else start.calibration.provenance()
    assert metadata.card["calibration"] == expected


@pytest.mark.parametrize(
    ("network", "quantization", "agreement", "most_bytes"),
    [
        ("cnn", "float16", 0.998, 1_150_000),
        ("cnn", "dynamic", 0.98, 600_000),
        pytest.param("resnet18", "none", 1, 45_000_000, marks=pytest.mark.slow),
        pytest.param("resnet18", "float16", 0.998, 22_500_000, marks=pytest.mark.slow),
        pytest.param("resnet18", "dynamic", 0.98, 11_500_000, marks=pytest.mark.slow),
    ],
)
def test_other_precisions(sources, tmp_path, network, quantization, agreement, most_bytes):
    out = tmp_path / "m.tflite"
    quantization = pipeline.Quantization(quantization)
    made = pipeline.export_tflite(quantization, out, sources[network])
    assert made.findings == []
    assert made.comparison.agreement >= agreement
    assert made.size == out.stat().st_size <= most_bytes
    card = read_metadata(out).card
    assert card["precision"] == quantization.precision
    assert card["io"]["input"] == {"shape": [1, 32, 32, 3], "dtype": "float32"}


@pytest.mark.parametrize("io", ["int8", "float32"])
def test_int8_with_other_io(cnn, tmp_path, io):
    """Inside it is the shipped model, so that the scores are the same."""
    out = tmp_path / "m.tflite"
    made = pipeline.export_tflite(INT8, out, cnn, io=io)
    assert made.findings == []
    assert read_metadata(out).card["io"]["input"]["dtype"] == io
    images = cnn.held_out.images[:50]
    shipped_scores = verify.file_scores(shipped.models()["cnn-int8"], images)
    np.testing.assert_array_equal(verify.file_scores(out, images), shipped_scores)
    # `auto` knows that integers are rounded otherwise, also where the scores are float.
    assert "not xnnpack" not in Classifier(out, delegate="auto").reason


def test_another_model_is_only_replaced_on_demand(cnn, tmp_path):
    out = tmp_path / "cnn.tflite"
    out.write_bytes(b"precious")
    with pytest.raises(pipeline.ExportError, match="holds another model"):
        pipeline.export_tflite(NONE, out, cnn)
    assert out.read_bytes() == b"precious"
    pipeline.export_tflite(NONE, out, cnn, overwrite=True)
    first = out.read_bytes()
    assert pipeline.export_tflite(NONE, out, cnn).size == len(first)  # the same again is fine
    assert out.read_bytes() == first


def test_a_file_that_loses_accuracy_is_not_written(cnn, tmp_path):
    """The gate must see damage: here, calibration on nearly black images."""
    dark = replace(cnn.calibration, images=cnn.calibration.images[:20] // 16)
    out = tmp_path / "cnn.tflite"
    with pytest.raises(pipeline.ExportError, match=r"it loses more than 0\.5 points on the 500"):
        pipeline.export_tflite(INT8, out, replace(cnn, calibration=dark))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["missing", "truncated", "another network", "other classes"])
def test_bad_checkpoints(tmp_path, damage):
    path = tmp_path / "cnn.safetensors"
    if damage == "truncated":
        path.write_bytes(CHECKPOINT.read_bytes()[:1000])
    elif damage == "another network":
        weights.save(NETWORKS["resnet18"](), path)
    elif damage == "other classes":
        weights.save(simple_cnn(2), path, about={"class_names": ["ant", "bee"]})
    with pytest.raises(weights.CheckpointError, match=str(path)):
        source.load("cnn", path)


def test_a_checkpoint_says_which_network_it_is(tmp_path):
    path = tmp_path / "weights.safetensors"
    weights.save(NETWORKS["resnet18"](), path, about={"network": "resnet18"})
    with pytest.raises(weights.CheckpointError, match="and not a cnn; add --network resnet18"):
        source.load("cnn", path)


def test_errors_are_one_line(command, tmp_path):
    (tmp_path / "file").write_text("")
    for arguments in (
        ("--checkpoint", tmp_path / "missing.safetensors"),
        ("--out", tmp_path / "file" / "cnn.tflite"),
        ("--data", tmp_path / "nowhere"),
        ("--calibration", tmp_path),
        ("--calibration", "100"),
        ("--quantize", "qat"),
        ("--network", "resnet18", "--checkpoint", CHECKPOINT),
    ):
        result = command("--out", tmp_path / "m.tflite", *arguments)
        assert (result.exit_code, result.stdout) == (1, ""), arguments
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("export: ")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--quantize", "int4"),
        ("--network", "vgg"),
        ("--io", "uint8", "--quantize", "none"),
        ("--mixed", "--quantize", "float16"),
        ("--mixed", "--io", "uint8"),
        ("--all", "--out", "x.tflite"),
        ("--all", "--quantize", "int8"),
        ("--all", "--network", "resnet18"),
        ("--max-drop", "-1"),
        ("--max-drop", "nan"),
        ("--explain", "--quantize", "float16"),
        ("--explain", "--max-drop", "0.5"),
        ("--explain", "--mixed"),
        ("--explain", "--overwrite"),
        ("--calibration", "25", "--quantize", "dynamic"),
    ],
)
def test_wrong_usage(command, arguments):
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_explain_prints_and_writes_the_ranking(command, monkeypatch, tmp_path):
    errors = [LayerError("worst", 1.25, 0.05), LayerError("best", 40.0, 0.0)]
    monkeypatch.setattr(tflite.sensitivity, "explain", lambda source: errors)
    result = command("--explain", "--out", tmp_path / "ranking")
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()[:3]] == [
        "layer",
        "worst",
        "best",
    ]
    assert "1.2" in result.stdout
    assert "+5.00" in result.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ranking.csv", "ranking.png"]


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_killed_in_the_middle_it_leaves_nothing(tmp_path, sent):
    """At the last moment before anything is written."""
    script = (
        "import sys, time, typer; from export import tflite, verify;"
        "verify.file_scores = lambda *_: (print('now', flush=True), time.sleep(100));"
        f"sys.argv = ['x', '--quantize', 'none', '--out', {str(tmp_path / 'm.tflite')!r}];"
        "typer.run(tflite.main)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "now\n"
    process.send_signal(sent)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []
    if sent != signal.SIGKILL:
        assert complaint.startswith("export: ")
        assert complaint.count("\n") == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)  # exports both networks four times
def test_all_says_what_it_could_not_do(tmp_path):
    """Every precision that needs no data set, and a sentence for each that does."""
    command = [sys.executable, "-m", "export.tflite", "--all"]
    result = subprocess.run(
        command,
        cwd=tmp_path,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    made = sorted(path.name for path in (tmp_path / "exports").iterdir())
    precisions = ("dynamic", "float16", "float32", "int8")
    names = [f"{network}-{precision}" for network in NETWORKS for precision in precisions]
    assert made == sorted(f"{name}.tflite" for name in names)
    assert [name for name in names if f"| {name} | " not in result.stdout] == []
    assert result.returncode == 1
    assert result.stderr.count("--quantize qat trains on the training images") == len(NETWORKS)


def test_calibration_on_images_that_judge_is_refused(cnn):
    committed = source.calibration.read()
    swapped = replace(committed, train=committed.held_out)
    with pytest.raises(CalibrationError, match="500 of the 500 calibration images are held-out"):
        source.calibration.choose(None, swapped, None)


def test_a_missing_extra_is_named():
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


def test_a_backend_that_is_not_installed_is_named():
    result = run("-m", "train", "--help", cwd=ROOT, env={**os.environ, "KERAS_BACKEND": "abacus"})
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "KERAS_BACKEND names abacus, which is not installed; install it, or unset it.\n"
    )
