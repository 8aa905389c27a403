"""The command `python -m benchmarks.accuracy`: top-1 accuracy of .tflite files on the test images.

The models run on `edge_runtime` alone, as on a device. Exit codes: 0 everything was evaluated; 1 a
model or the data set failed; 2 there is no such model or data set; 130 interrupted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from benchmarks.contenders import image_side, open_classifier
from benchmarks.options import Data, Models
from edge_runtime import Classifier, EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.support.options import run_command
from export.verify import AccuracyComparison, compare
from train.data import load_for
from train.dataset import DataError


def scores(
    model: str, images: NDArray[np.uint8], *, photographs: bool = False
) -> NDArray[np.float32]:
    """Return the scores of every image, float32 (N, classes).

    Args:
        model: model as for `Classifier`.
        images: uint8 (N, H, W, 3), RGB, 0-255.
        photographs: enlarge each image eightfold, and let the runtime read it from a JPEG file.

    Raises:
        EdgeRuntimeError: the model cannot be used.
    """
    with Classifier(model) as classifier, TemporaryDirectory() as folder:
        inputs = map(partial(photograph, Path(folder) / "image.jpg"), images)
        return np.stack([classifier.scores(i) for i in (inputs if photographs else images)])


def photograph(path: Path, image: NDArray[np.uint8]) -> Path:
    """Write an image, uint8 (H, W, 3), eightfold enlarged as a JPEG, and return its path."""
    height, width, _ = image.shape
    enlarged = Image.fromarray(image).resize((8 * width, 8 * height), Image.Resampling.BICUBIC)
    enlarged.save(path, quality=75)
    return path


def line(name: str, comparison: AccuracyComparison) -> str:
    """Return a comparison with the first scores as a line for a person."""
    low, high = comparison.top1_interval
    return (
        f"{name}: top-1 {comparison.top1:.2%} ({low:.2%} to {high:.2%}), "
        f"{comparison.cost}, {comparison.images:,} test images"
    )


def main(
    models: Models = None,
    data: Data = None,
    photographs: Annotated[
        bool,
        typer.Option(
            "--photographs",
            help="Also evaluate each model on the images enlarged eightfold and saved as JPEGs "
            "(quality 75), and compare it with itself on the original images.",
        ),
    ] = False,
) -> None:
    """Print the top-1 accuracy of each model, compared with the first model."""
    models = models or list(shipped.models())
    if data is not None and not data.expanduser().exists():
        raise typer.BadParameter(f"--data {data} does not exist; check the name.")
    try:
        for model in models:
            shipped.find(model)
    except EdgeRuntimeError as exc:
        raise typer.BadParameter(str(exc)) from exc
    try:
        loaded = load_for(data, map(image_side, models))
        for model in models:  # report a bad model before the long evaluation starts
            open_classifier(model, len(loaded.class_names)).close()
        test = loaded.test
        first: NDArray[np.float32] | None = None
        for model in models:
            of_model = scores(model, test.images)
            first = of_model if first is None else first
            typer.echo(line(model, compare(first, of_model, test.labels)))
            if photographs:
                enlarged = scores(model, test.images, photographs=True)
                typer.echo(line(f"{model}, JPEGs", compare(of_model, enlarged, test.labels)))
    except (DataError, EdgeRuntimeError) as exc:
        typer.echo(f"accuracy: {exc}", err=True)
        raise typer.Exit(1) from exc


if __name__ == "__main__":
    run_command(main)
