"""Starting a Python process, or doing without."""

import signal
import subprocess
import sys
import threading

import pytest

from edge_runtime import Classifier
from edge_runtime.inference import shipped, trial
from edge_runtime.support.child import NoPythonError, child_command, child_environment, shielded
from tests.conftest import GOLDEN


def test_a_child_finds_this_package_and_nothing_in_the_working_directory(tmp_path):
    (tmp_path / "edge_runtime.py").write_text("raise SystemExit('the wrong one')")
    command = child_command("edge_runtime.inference.trial", GOLDEN / "int8.tflite", "cpu", "fp32")
    done = subprocess.run(
        [str(part) for part in command], cwd=tmp_path, env=child_environment(), timeout=60
    )
    assert done.returncode == 0


@pytest.mark.parametrize(
    "name", ["python", "python3", "python3.11", "Python3", "pythonw.exe", "python3.13t", "pypy3.11"]
)
def test_interpreters_are_recognised(name, monkeypatch):
    monkeypatch.setattr(sys, "executable", f"/opt/bin/{name}")
    assert child_command("x")[0] == f"/opt/bin/{name}"


@pytest.mark.parametrize("executable", ["/opt/photo-sorter", "/usr/bin/blender", "", None])
def test_another_program_is_not_started(executable, monkeypatch):
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(NoPythonError, match="no Python interpreter"):
        child_command("x")


def test_a_frozen_application_is_not_started(monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(NoPythonError):
        child_command("x")


def test_everything_works_without_children(monkeypatch, tmp_path):
    """A model that was never tried is loaded, and this process classifies all images."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("a process was started"))
    model = tmp_path / "own.tflite"
    model.write_bytes((GOLDEN / "int8.tflite").read_bytes() + b"not known")
    assert trial.ensure_sound(model, "xnnpack") is None
    ship = shipped.samples()["ship"]
    with Classifier(shipped.MODELS / "cnn-int8.tflite", threads=2) as classifier:
        results = classifier.classify_batch([ship] * 80)
    assert [result[0].label for result in results] == ["ship"] * 80


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="Windows blocks no signals")
def test_ctrl_c_reaches_this_process_after_a_child_was_started():
    started = False
    with pytest.raises(KeyboardInterrupt), shielded():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        started = True
    assert started
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
