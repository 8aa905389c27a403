"""The command `python -m export.make_samples`: choose the committed images from the data set.

They are the calibration images (`export.committed`) and the wheel's samples. The same data set
gives the same files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from edge_runtime.errors import OutputError
from edge_runtime.inference import shipped
from edge_runtime.inference.shipped import SAMPLES
from edge_runtime.support.console import complain
from edge_runtime.support.files import replacing
from edge_runtime.support.options import run_command
from edge_runtime.support.outputs import output_file
from export import calibration, committed
from train.cifar10 import load
from train.dataset import DataError, Dataset
from train.reason import sentence

_PER_CLASS = 50


def write_calibration(data: Dataset, folder: Path = committed.FOLDER) -> None:
    """Choose the calibration images and write them.

    From the training images, 50 per class are drawn at random. From the held-out images, the first
    50 per class are taken; those are sorted by hash, so this choice is random too.

    Raises:
        OSError: a file cannot be written.
    """
    classes = len(data.class_names)
    drawn = calibration.balanced(data.train.labels, classes, classes * _PER_CLASS)
    first = [np.flatnonzero(data.held_out.labels == c)[:_PER_CLASS] for c in range(classes)]
    images = committed.CommittedImages(
        train=data.train.take(drawn),
        held_out=data.held_out.take(np.concatenate(first)),
        class_names=data.class_names,
    )
    committed.write(images, folder, seed=calibration.SEED)


def write_samples(data: Dataset, folder: Path = SAMPLES) -> None:
    """Write the test image with the lowest hash of each class, whatever a network predicts.

    Raises:
        OSError: a file cannot be written.
    """
    by_hash = sorted(range(len(data.test)), key=data.test.hashes.__getitem__)
    for label, name in enumerate(data.class_names):
        first = next(index for index in by_hash if data.test.labels[index] == label)
        with replacing(folder / f"{name}.png") as temporary:
            Image.fromarray(data.test.images[first]).save(temporary, optimize=True)


def main(
    data: Annotated[
        Path | None,
        typer.Option(
            help="CIFAR-10's binary archive, or its folder.",
            show_default="$EDGE_CIFAR10, or a download",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the committed images if they exist.")
    ] = False,
) -> None:
    """Choose the calibration images and the samples again, and write them."""
    if data is not None and not data.expanduser().exists():
        raise typer.BadParameter(f"--data {data} does not exist; check the name.")
    try:
        for path in (*committed.files(), *shipped.samples().values()):
            inputs = [] if data is None else [data.expanduser()]
            output_file(path, subject=str(path), inputs=inputs, overwrite=overwrite)
    except OutputError as exc:
        raise typer.BadParameter(str(exc)) from exc
    try:
        loaded = load(data)
        write_calibration(loaded)
        write_samples(loaded)
    except (DataError, OSError) as exc:
        complain(sentence(exc), program="make_samples")
        raise typer.Exit(1) from exc


if __name__ == "__main__":
    run_command(main)
