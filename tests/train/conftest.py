"""Fixtures and helpers that the tests of training share."""

import pytest
from typer.testing import CliRunner, Result

from tests.train.small import DATA, SHORT_SEED, SHORT_UNTAUGHT, outliers_in, shortened, train
from train import run, weights
from train.__main__ import app
from train.recipes import RECIPES


def command(*arguments) -> Result:
    """Run `python -m train` in this process; a new one spends 5 seconds importing TensorFlow."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run of two epochs, as (folder, printed report)."""
    folder = tmp_path_factory.mktemp("runs") / "cnn-seed"
    return folder, run.train(SHORT_SEED, "seed", DATA, folder, seed=3)


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory):
    """A finished run of two epochs whose recipe calibrates the scores, as (folder, report)."""
    folder = tmp_path_factory.mktemp("runs") / "cnn-untaught"
    return folder, run.train(SHORT_UNTAUGHT, "untaught", DATA, folder, seed=3)


@pytest.fixture(scope="session")
def exposed(tmp_path_factory):
    """A finished run of two epochs with outliers, as (folder, printed report)."""
    folder = tmp_path_factory.mktemp("runs") / "cnn-seed-with-outliers"
    sources = outliers_in(tmp_path_factory.mktemp("stripes"))
    recipe = SHORT_SEED.with_outliers()
    return folder, run.train(recipe, "seed", DATA, folder, seed=3, outliers=sources)


@pytest.fixture(scope="session")
def teacher(tmp_path_factory):
    """A checkpoint of a CNN for two classes, trained for three epochs."""
    folder = tmp_path_factory.mktemp("teacher")
    model, _, _ = train(shortened(RECIPES["cnn", "seed"]), folder)
    weights.save(model, folder / "cnn.safetensors")
    return folder / "cnn.safetensors"
