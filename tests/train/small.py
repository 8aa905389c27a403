"""Trainings of a few seconds: small data sets, short recipes, and a run that stops early."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from train import outliers, precision
from train.dataset import Dataset, Split
from train.fit import Training
from train.recipe import Recipe
from train.recipes import RECIPES


def split(images: int, seed: int) -> Split:
    """Images of two classes that brightness tells apart; an epoch or two suffices to learn them."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, images).astype(np.uint8)
    pixels = rng.integers(0, 120, (images, 32, 32, 3)) + 130 * labels[:, None, None, None]
    return Split(pixels.astype(np.uint8), labels, tuple(str(i) for i in range(images)))


TRAIN, HELD_OUT = split(256, 0), split(64, 1)
_CONFUSED = split(64, 1)
_CONFUSED.labels[:4] = 1 - _CONFUSED.labels[:4]  # otherwise there is nothing to calibrate
DATA = Dataset(TRAIN, _CONFUSED, split(96, 2), ("dark", "bright"))

# In float32, so that every machine trains the same.
SHORT_SEED = dataclasses.replace(RECIPES["cnn", "seed"], epochs=2, batch_size=32)
SHORT_UNTAUGHT = dataclasses.replace(
    RECIPES["cnn", "untaught"], epochs=2, batch_size=32, precision="float32"
)


def shortened(recipe: Recipe, **changes) -> Recipe:
    """Shorten a recipe; keep bfloat16 only if the machine is fast in it."""
    fast, _ = precision.choose(recipe.precision)
    return dataclasses.replace(
        recipe, **{"epochs": 3, "batch_size": 32, "precision": fast} | changes
    )


def write_folder(root, *, per_class=24, test=4, classes=("dark", "light")):
    """Write PNGs and JPEGs of 40 x 48 pixels whose brightness tells their class; return `root`."""
    rng = np.random.default_rng(0)
    for part, images in (("train", per_class), ("test", test)):
        for label, name in enumerate(classes):
            (root / part / name).mkdir(parents=True)
            for i in range(images):
                pixels = rng.integers(0, 120, (40, 48, 3)) + 130 * (label % 2)
                image = Image.fromarray(pixels.astype(np.uint8))
                image.save(root / part / name / f"{i}.{'jpg' if i % 2 else 'png'}")
    return root


def write_outliers(folder, names, side=48):
    """Write striped images, unlike those of the two classes, under names; return `folder`."""
    rng = np.random.default_rng(0)
    for name in names:
        pixels = rng.integers(0, 256, (1, side, 3), np.uint8).repeat(side, axis=0)
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / name)
    return folder


def outliers_in(folder, count=40):
    """Write that many outliers into a folder, and load them."""
    return outliers.load([str(write_outliers(folder, [f"{k}.png" for k in range(count)]))])


def train(recipe, run_dir, **options):
    """Train on the small data; return network, state and the lines of progress."""
    lines: list[str] = []
    training = Training(recipe, TRAIN, HELD_OUT, classes=2, **options)
    model, state = training.fit(run_dir, say=lines.append)
    return model, state, lines


class PowerLoss(Exception):
    """Ends a training as a power loss does, right after a checkpoint."""


def train_until_power_loss(recipe, run_dir, **options):
    """Train for two epochs, and stop without finishing."""

    def say(line):
        if line.startswith("epoch 2"):
            raise PowerLoss

    with pytest.raises(PowerLoss):
        Training(recipe, TRAIN, HELD_OUT, classes=2, **options).fit(run_dir, say=say)
