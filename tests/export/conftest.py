"""What the export's tests share: the command, the shipped networks, and one hard to quantize."""

from dataclasses import replace
from functools import cache

import pytest
import typer
from typer.testing import CliRunner

from export import quantize, tflite, verify
from export.inputs import ExportInputs, load_inputs
from train import weights
from train.architectures import simple_cnn
from train.cifar10 import ENVIRONMENT_VARIABLE


@pytest.fixture
def command(monkeypatch):
    """Run `python -m export.tflite` in this process, which saves importing TensorFlow again."""
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    app = typer.Typer()
    app.command()(tflite.main)
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="session")
def shipped_inputs():
    """Load the export inputs of a shipped network, given its name; each is loaded once."""
    return cache(lambda name: load_inputs(name, weights.exported(name)))


@pytest.fixture(scope="session")
def cnn(shipped_inputs):
    return shipped_inputs("cnn")


def with_few_calibration_images(inputs: ExportInputs) -> ExportInputs:
    """Keep a fifth of the calibration images, which is enough and faster."""
    few = replace(inputs.calibration, images=inputs.calibration.images[::5])
    return replace(inputs, calibration=few)


@pytest.fixture(scope="session")
def easy(cnn):
    """The shipped CNN with few calibration images; int8 costs it nearly nothing."""
    return with_few_calibration_images(cnn)


def int8_drop(inputs: ExportInputs, model, folder) -> float:
    """Return the top-1 accuracy that plain int8 loses on the held-out images, a fraction."""
    path = folder / "plain.tflite"
    path.write_bytes(quantize.to_int8(model, inputs.calibration.images))
    scores = verify.file_scores(path, inputs.held_out.images)
    return verify.compare(inputs.scores, scores, inputs.held_out.labels).top1_drop


def enlarge(model, channel: int, factor: float) -> None:
    """Scale one channel of the first convolution's BatchNorm, and undo it in the next layer.

    The float network stays as accurate as before. In int8, the enlarged channel takes up the
    range, so the other channels are left with few steps.
    """
    norm, reader = model.get_layer("block1_bn1"), model.get_layer("block1_conv2")
    gamma, beta, mean, variance = norm.get_weights()
    gamma[channel] *= factor
    beta[channel] *= factor
    norm.set_weights([gamma, beta, mean, variance])
    kernel, bias = reader.get_weights()
    kernel[:, :, channel] /= factor
    reader.set_weights([kernel, bias])


@pytest.fixture(scope="session")
def hard(easy, tmp_path_factory):
    """The shipped CNN with one channel enlarged until plain int8 loses at least 5 points."""
    folder = tmp_path_factory.mktemp("hard")
    about = weights.about(weights.exported("cnn"))
    model = simple_cnn(**about["recipe"]["architecture"])
    weights.load(model, weights.exported("cnn"))
    for _ in range(3):
        enlarge(model, 5, 16.0)
        if int8_drop(easy, model, folder) >= 0.05:
            break
    path = folder / "hard.safetensors"
    weights.save(model, path, about=about)
    return with_few_calibration_images(load_inputs("cnn", path))
