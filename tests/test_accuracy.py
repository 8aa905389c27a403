"""`python -m benchmarks.accuracy`; tests/test_readme.py runs it on the shipped models."""

import numpy as np
from typer.testing import CliRunner

from benchmarks import accuracy


def test_the_command_prints_what_it_measured(monkeypatch):
    rng = np.random.default_rng(0)
    from train.dataset import Dataset, Split

    images = rng.integers(0, 256, (20, 4, 4, 3), np.uint8)
    labels = images.reshape(20, 16, 3).sum(axis=1).argmax(axis=1)
    labels[:5] = (labels[:5] + 1) % 3
    part = Split(images, labels.astype(np.uint8), ("",) * 20)
    data = Dataset(part, part, part, ("red", "green", "blue"))
    monkeypatch.setattr(accuracy, "load", lambda path: data)
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
    other = CliRunner().invoke(app, ["tests/golden/uint8.tflite", "cnn-int8"])
    assert other.exit_code == 1
    assert other.stdout == ""  # said before the work
    assert other.stderr == (
        "accuracy: cnn-int8 tells 10 classes apart; expected the 3 of the test images.\n"
    )
