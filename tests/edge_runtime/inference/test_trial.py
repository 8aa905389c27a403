import sys

import pytest

from edge_runtime import Classifier, EdgeRuntimeError
from edge_runtime.inference import trial
from edge_runtime.inference.trial import ensure_sound
from tests.conftest import GOLDEN


def test_an_unknown_model_is_tried_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = GOLDEN / "uint8.tflite"
    cache = trial.sound_models()
    assert cache == tmp_path / "edge-classify" / "sound-models"
    Classifier(model)
    [line] = cache.read_text().splitlines()
    assert line.split()[1] == "xnnpack"
    monkeypatch.setattr("subprocess.run", lambda *a, **k: pytest.fail("tried again"))
    Classifier(model)
    Classifier()  # shipped models need no trial
    with pytest.raises(pytest.fail.Exception):
        Classifier(GOLDEN / "int8.tflite")


def test_without_a_cache_it_still_works(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert Classifier(GOLDEN / "uint8.tflite").labels == ("red", "green", "blue")


def test_without_a_home_there_is_no_cache(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    Classifier(GOLDEN / "uint8.tflite")
    assert list(tmp_path.iterdir()) == []


def test_children_find_the_modules_that_this_process_finds(tmp_path, monkeypatch):
    """A folder on the path may hold a module that has the name of one of Python's own."""
    (tmp_path / "pathlib.py").write_text("raise ImportError")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    Classifier(GOLDEN / "uint8.tflite")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    Classifier(GOLDEN / "float32.tflite")


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_model_that_crashes_is_an_error(monkeypatch):
    """A child that kills itself stands for LiteRT's crash."""
    crash = [sys.executable, "-c", "import os; os.kill(os.getpid(), 11)"]
    monkeypatch.setattr("edge_runtime.support.child.child_command", lambda *arguments: crash)
    path = GOLDEN / "two_inputs.tflite"
    with pytest.raises(EdgeRuntimeError, match=r"two_inputs\.tflite crashed LiteRT \(-11\)"):
        ensure_sound(path, "xnnpack")
    with pytest.raises(EdgeRuntimeError, match=r"crashed LiteRT \(-11\) .* on gpu; use --delegate"):
        ensure_sound(path, "gpu")


def test_a_model_that_hangs_is_an_error(monkeypatch):
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    monkeypatch.setattr("edge_runtime.support.child.child_command", lambda *arguments: sleep)
    monkeypatch.setattr(trial, "TIMEOUT_S", 0.2)
    with pytest.raises(EdgeRuntimeError, match=r"took more than 0\.2 s when it was tried"):
        ensure_sound(GOLDEN / "two_inputs.tflite", "xnnpack")
