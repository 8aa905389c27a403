"""The command that the export's tests run."""

import pytest
import typer
from typer.testing import CliRunner

from export import tflite
from train.cifar10 import ENVIRONMENT_VARIABLE


@pytest.fixture
def command(monkeypatch):
    """`python -m export.tflite` in this process, which need not import TensorFlow again."""
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    app = typer.Typer()
    app.command()(tflite.main)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])
