"""The command `python -m export.pictures`: choosing the committed pictures from the data set.

They are the calibration images (`export.calibration`) and the wheel's samples. The same data set
gives the same files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from edge_runtime.inference.shipped import SAMPLES
from edge_runtime.support.files import replacing
from export import calibration
from train.cifar10 import load
from train.dataset import DataError, Dataset


def write_samples(data: Dataset, folder: Path = SAMPLES) -> None:
    """Write of each class the test image with the lowest hash, whatever a network says of it."""
    by_hash = sorted(range(len(data.test)), key=data.test.hashes.__getitem__)
    for label, name in enumerate(data.class_names):
        first = next(index for index in by_hash if data.test.labels[index] == label)
        with replacing(folder / f"{name}.png") as temporary:
            Image.fromarray(data.test.images[first]).save(temporary, optimize=True)


def main(
    data: Annotated[
        Path | None, typer.Option(help="CIFAR-10's binary archive, see `python -m train cnn`.")
    ] = None,
) -> None:
    """Choose the calibration images and the samples again."""
    try:
        loaded = load(data)
        calibration.write(loaded)
        write_samples(loaded)
    except (DataError, OSError) as exc:
        typer.echo(f"pictures: {exc}", err=True)
        raise typer.Exit(1) from exc


if __name__ == "__main__":
    typer.run(main)
