"""What the shipped models reach on all 10,000 test images, through the runtime alone."""

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks import accuracy
from edge_runtime.metrics import top1

pytestmark = pytest.mark.timeout(600)


def test_int8_reaches_the_seed_s_figure_and_its_float(cifar10):
    test = cifar10.test
    of_int8, of_float = (
        top1(accuracy.scores(model, test.images), test.labels)
        for model in ("cnn-int8", "cnn-float32")
    )
    assert of_int8 >= 0.83
    assert abs(of_float - of_int8) <= 0.003


def test_the_command_prints_what_it_measured(monkeypatch):
    rng = np.random.default_rng(0)
    from train.dataset import Dataset, Split

    images = rng.integers(0, 256, (20, 4, 4, 3), np.uint8)
    labels = images.reshape(20, 16, 3).sum(axis=1).argmax(axis=1)
    labels[:5] = (labels[:5] + 1) % 3
    part = Split(images, labels.astype(np.uint8), ("",) * 20)
    data = Dataset(part, part, part, ("red", "green", "blue"))
    monkeypatch.setattr(accuracy.cifar10, "load", lambda path: data)
    import typer

    app = typer.Typer()
    app.command()(accuracy.main)
    result = CliRunner().invoke(app, ["tests/golden/float32.tflite", "tests/golden/uint8.tflite"])
    first, second = result.output.splitlines()
    assert "float32.tflite: top-1 75.00% (53.13% to 88.81%), drop +0.00 points (" in first
    assert "20 test images" in second
    both = CliRunner().invoke(app, ["tests/golden/uint8.tflite", "--photographs"]).output
    as_they_are, enlarged = both.splitlines()
    assert as_they_are.startswith("tests/golden/uint8.tflite: top-1 75.00%")
    answers = [
        accuracy.scores("tests/golden/uint8.tflite", images, photographs=jpeg).argmax(axis=1)
        for jpeg in (False, True)
    ]
    assert enlarged.startswith("tests/golden/uint8.tflite, JPEGs: top-1 ")
    assert f"agreement {np.mean(answers[0] == answers[1]):.2%}, 20 test images" in enlarged
    missing = CliRunner().invoke(app, ["nope"])
    assert missing.exit_code == 1
    assert missing.stderr.startswith("accuracy: There is no model nope")
