"""The command `python -m benchmarks.accuracy`: top-1 of .tflite files on the test images.

The models run in `edge_runtime` alone, as on a device.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from edge_runtime import Classifier, EdgeRuntimeError, shipped
from edge_runtime.metrics import top1, wilson_interval
from train import cifar10
from train.dataset import DataError


def scores(model: str, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the scores of every image, float32 (N, classes).

    Args:
        model: as for `Classifier`.
        images: uint8 (N, H, W, 3), RGB.

    Raises:
        ModelError: the model cannot be used.
    """
    with Classifier(model) as classifier:
        return np.stack([classifier.scores(image) for image in images])


def main(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Shipped names or .tflite files; without any, all shipped models.",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="CIFAR-10's binary archive, see `python -m train cnn`.")
    ] = None,
) -> None:
    """Print top-1 accuracy, each model's against the first one's."""
    try:
        test = cifar10.load(data).test
        first: NDArray[np.float32] | None = None
        for model in models or list(shipped.models()):
            of_model = scores(model, test.images)
            first = of_model if first is None else first
            accuracy = top1(of_model, test.labels)
            low, high = wilson_interval(accuracy, len(test))
            agreement = np.mean(of_model.argmax(axis=1) == first.argmax(axis=1))
            typer.echo(
                f"{model}: top-1 {accuracy:.2%} ({low:.2%} to {high:.2%}), "
                f"drop {100 * (top1(first, test.labels) - accuracy):+.2f} points, "
                f"agreement {agreement:.2%}, {len(test):,} test images"
            )
    except (DataError, EdgeRuntimeError) as exc:
        typer.echo(f"accuracy: {exc}", err=True)
        raise typer.Exit(1) from exc


if __name__ == "__main__":
    typer.run(main)
