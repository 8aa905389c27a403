"""The command `python -m export.tflite`, as in a fresh clone without the data set."""

import os
import signal
import subprocess
import sys

import pytest

from export import sensitivity
from export.sensitivity import LayerError
from tests.conftest import ROOT, run
from train import weights
from train.cifar10 import ENVIRONMENT_VARIABLE
from train.networks import CIFAR10_NETWORKS

CHECKPOINT = weights.SHIPPED / "cnn.safetensors"
ALL_SKIPPED = (
    "export: skipped cnn-int8-qat and resnet18-int8-qat, which are trained; name the data set with "
    "--data or EDGE_CIFAR10 to export them too.\n"
)
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != ENVIRONMENT_VARIABLE}


def test_errors_are_one_line(command, tmp_path):
    (tmp_path / "file").write_text("")
    for arguments in (
        ("--checkpoint", tmp_path / "file"),
        ("--data", tmp_path / "file"),
        ("--network", "resnet18", "--checkpoint", CHECKPOINT),
    ):
        result = command("--out", tmp_path / "m.tflite", *arguments)
        assert (result.exit_code, result.stdout) == (1, ""), arguments
        assert result.stderr.count("\n") == 1
        assert result.stderr.startswith("export: ")
        assert "[Errno" not in result.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--quantize", "int4"),
        ("--network", "vgg"),
        ("--io", "uint8", "--quantize", "none"),
        ("--mixed", "--quantize", "float16"),
        ("--mixed", "--io", "uint8"),
        ("--weight-bits", "7", "--quantize", "qat"),
        ("--weight-bits", "7", "--mixed"),
        ("--weight-bits", "6"),
        ("--weight-bits", "7", "--all"),
        ("--weight-bits", "7", "--explain"),
        ("--all", "--out", "x.tflite"),
        ("--all", "--quantize", "int8"),
        ("--all", "--network", "resnet18"),
        ("--max-drop", "-1"),
        ("--max-drop", "nan"),
        ("--explain", "--quantize", "float16"),
        ("--explain", "--max-drop", "0.5"),
        ("--explain", "--mixed"),
        ("--calibration", "25", "--quantize", "dynamic"),
        ("--calibration", "100"),
        ("--calibration", "docs"),
        ("--calibration", "nowhere"),
        ("--checkpoint", "missing.safetensors"),
        ("--checkpoint", "docs"),
        ("--data", "nowhere"),
        ("--quantize", "qat"),
        ("--out", "docs"),
        ("--out", "README.md/x.tflite"),
        ("--out", "/proc/x.tflite"),
    ],
)
def test_wrong_usage(command, arguments):
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "[Errno" not in result.stderr


def test_explain_prints_and_writes_the_ranking(command, monkeypatch, tmp_path):
    errors = [LayerError("worst", 1.25, 0.05), LayerError("best", 40.0, 0.0)]
    monkeypatch.setattr(sensitivity, "explain", lambda inputs: errors)
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


@pytest.mark.parametrize(
    "sent",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_a_killed_export_leaves_no_file(tmp_path, sent):
    """The signal arrives at the last moment before the file is written."""
    script = (
        "import sys, time; from edge_runtime.support.options import run_command;"
        "from export import tflite, verify;"
        "verify.file_scores = lambda *_, **__: (print('now', flush=True), time.sleep(100));"
        f"sys.argv = ['x', '--quantize', 'none', '--out', {str(tmp_path / 'm.tflite')!r}];"
        "run_command(tflite.main)"
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
    _, message = process.communicate(timeout=60)
    assert process.returncode == (-sent if sent == signal.SIGKILL else 130)
    assert list(tmp_path.iterdir()) == []
    if sent != signal.SIGKILL:
        assert message.startswith("export: ")
        assert message.count("\n") == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)  # exports both networks four times
def test_all_exports_what_it_can_and_names_the_rest(tmp_path):
    """Every mode that needs no data set gives a file; a sentence names the others."""
    command = [sys.executable, "-m", "export.tflite", "--all"]
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        command,
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    made = sorted(path.name for path in (tmp_path / "exports").iterdir())
    precisions = ("dynamic", "float16", "float32", "int8")
    names = [f"{network}-{precision}" for network in CIFAR10_NETWORKS for precision in precisions]
    assert made == sorted(f"{name}.tflite" for name in names)
    assert [name for name in names if f"| {name} | " not in result.stdout] == []
    assert result.returncode == 0
    assert result.stderr == ALL_SKIPPED
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert again.returncode == 2
    assert "exports/cnn-float32.tflite exists; add --overwrite" in again.stderr


def test_a_missing_extra_is_named():
    """On a machine with the runtime alone, the error says what to install."""
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


def test_a_keras_backend_that_is_not_installed_is_named():
    result = run("-m", "train", "--help", cwd=ROOT, env={**os.environ, "KERAS_BACKEND": "abacus"})
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "KERAS_BACKEND names abacus, which is not installed; install it, or unset KERAS_BACKEND.\n"
    )
