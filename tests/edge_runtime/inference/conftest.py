"""A choice that was tuned, and a model that it is kept for."""

import shutil

import pytest

from edge_runtime.inference.tuning import Chosen, Tuned
from tests.conftest import GOLDEN

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
