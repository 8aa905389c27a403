"""The command `python -m benchmarks.training`: how fast a step of training is, and why.

A batch of random images in float32, as the recipes train, against the same in bfloat16 and with
Keras' own BatchNorm, interleaved and judged by `edge_runtime.support.timing`.
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

from edge_runtime.support.timing import compare_times, measure, summarize
from train import architectures, precision
from train.build import training_network
from train.recipes import RECIPES, Recipe

RUNS = (("cnn", "untaught", 32), ("cnn", "best", 32), *(("resnet18", "best", s) for s in (24, 32)))


def stepper(recipe: Recipe, side: int) -> Callable[[], object]:
    """Return a function that trains one step of a recipe, by its labels alone."""
    recipe = replace(recipe, teacher=None)
    rng = np.random.default_rng(0)
    images = rng.random((recipe.batch_size, side, side, 3), np.float32)
    labels = np.eye(10, dtype=np.float32)[rng.integers(0, 10, recipe.batch_size)]
    return partial(training_network(recipe).train_on_batch, images, labels)


def main(
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each to time.")] = 15,
    bfloat16: Annotated[
        bool,
        typer.Option("--bfloat16", help="Time it on a machine without instructions for it, too."),
    ] = False,
) -> None:
    """Print what a step takes, and the ratios that bfloat16 and Keras' BatchNorm make of it."""
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
            f"{summarize(base).p50_us / 1e6:.3f} s a step of {recipe.batch_size} images",
            flush=True,
        )
        for other, ns in times.items():
            c = compare_times(base, ns)
            print(f"  {other:<18} {c.ratio:.2f} times ({c.low:.2f} to {c.high:.2f})", flush=True)


if __name__ == "__main__":
    typer.run(main)
