"""The command `python -m benchmarks.training`: time a training step, and compare variants of it.

The recipes' float32 step on random images is compared with a bfloat16 step, and with Keras' own
BatchNorm. `edge_runtime.support.timing` interleaves and evaluates them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Annotated
from unittest import mock

import typer

from train.startup import start

start("train")

import keras
import numpy as np

from edge_runtime.support.options import run_command
from edge_runtime.support.timing import compare_times, measure, summarize
from train import architectures, precision
from train.build import training_network
from train.recipe import Recipe
from train.recipes import RECIPES

RUNS = (("cnn", "untaught", 32), ("cnn", "best", 32), *(("resnet18", "best", s) for s in (24, 32)))


def stepper(recipe: Recipe, side: int) -> Callable[[], object]:
    """Return a function that trains one step of a recipe, without its teacher.

    Args:
        recipe: the recipe.
        side: width and height of the images in pixels.
    """
    recipe = replace(recipe, teacher=None)
    rng = np.random.default_rng(0)
    images = rng.random((recipe.batch_size, side, side, 3), np.float32)
    labels = np.eye(10, dtype=np.float32)[rng.integers(0, 10, recipe.batch_size)]
    return partial(training_network(recipe).train_on_batch, images, labels)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Time this many steps of each variant.")] = 15,
    bfloat16: Annotated[
        bool,
        typer.Option(
            "--bfloat16", help="Time bfloat16 even if the CPU has no instructions for it."
        ),
    ] = False,
) -> None:
    """Print the time of a step, and its ratios with bfloat16 and with Keras' BatchNorm."""
    fast, _ = precision.choose("bfloat16")
    for network, name, side in RUNS:
        recipe = replace(RECIPES[network, name], precision="float32")
        steps = {"float32": stepper(recipe, side)}
        with mock.patch.object(
            architectures, "BatchNormalization", keras.layers.BatchNormalization
        ):
            steps["Keras' BatchNorm"] = stepper(recipe, side)
        if bfloat16 or fast == "bfloat16":
            steps["bfloat16"] = stepper(replace(recipe, precision="bfloat16"), side)
        times = measure(steps, rounds=rounds, warm_up=2)
        base = times.pop("float32")
        print(
            f"{network}, {name}, {side} pixels: "
            f"{summarize(base).p50_us / 1e6:.3f} s per step of {recipe.batch_size} images",
            flush=True,
        )
        for other, ns in times.items():
            c = compare_times(base, ns)
            print(f"  {other:<18} {c.ratio:.2f} times ({c.low:.2f} to {c.high:.2f})", flush=True)


if __name__ == "__main__":
    run_command(main)
