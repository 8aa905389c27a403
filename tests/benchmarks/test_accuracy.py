"""Run `python -m benchmarks.accuracy` on small models; test_readme runs it on shipped ones."""

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from benchmarks import accuracy
from tests.conftest import GOLDEN
from train.dataset import Dataset, Split

UINT8 = str(GOLDEN / "uint8.tflite")


@pytest.fixture
def images(monkeypatch):
    """Twenty test images of three classes; the models misclassify five of them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 4, 4, 3), np.uint8)
    labels = images.reshape(20, 16, 3).sum(axis=1).argmax(axis=1)
    labels[:5] = (labels[:5] + 1) % 3
    part = Split(images, labels.astype(np.uint8), ("",) * 20)
    data = Dataset(part, part, part, ("red", "green", "blue"))
    monkeypatch.setattr(accuracy, "load_for", lambda path, sides: data)
    return images


def run(*arguments):
    app = typer.Typer()
    app.command()(accuracy.main)
    return CliRunner().invoke(app, arguments)


def test_models_are_compared_with_the_first(images):
    first, second = run(str(GOLDEN / "float32.tflite"), UINT8).output.splitlines()
    assert "float32.tflite: top-1 75.00% (53.13% to 88.81%), drop +0.00 points (" in first
    assert "20 test images" in second


def test_photographs_are_compared_with_the_images(images):
    original, enlarged = run(UINT8, "--photographs").output.splitlines()
    assert original.startswith(f"{UINT8}: top-1 75.00%")
    predicted = [
        accuracy.scores(UINT8, images, photographs=jpeg).argmax(axis=1) for jpeg in (False, True)
    ]
    assert enlarged.startswith(f"{UINT8}, JPEGs: top-1 ")
    assert f"agreement {np.mean(predicted[0] == predicted[1]):.2%}, 20 test images" in enlarged


def test_a_missing_model_is_an_error(images):
    missing = run("nope")
    assert missing.exit_code == 2
    assert "There is no model nope" in " ".join(missing.stderr.replace("│", " ").split())
    nowhere = run(UINT8, "--data", "nowhere")
    assert nowhere.exit_code == 2
    assert "--data nowhere does not exist" in " ".join(nowhere.stderr.replace("│", " ").split())


def test_another_number_of_classes_is_reported_before_the_evaluation(images):
    other = run(UINT8, "cnn-int8")
    assert other.exit_code == 1
    assert other.stdout == ""
    assert other.stderr == (
        "accuracy: Expected cnn-int8 to have the 3 classes of the test images, but it has 10; "
        "name another model.\n"
    )


def test_ctrl_c_has_its_exit_code(images, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(accuracy, "scores", interrupted)
    assert run(UINT8).exit_code == 130
