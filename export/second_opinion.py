"""The command `python -m export.second_opinion`: when one model should ask another one.

It scores held-out and test images with both files and writes into the first one's card what
`edge_runtime.inference.second_opinion` reads there. The entry has the second file's hash, so both
files must be final.

The threshold is the lowest one, in steps of 1/256, at which the accuracy of both together is within
one standard error of the best (Breiman et al. 1984, Classification and Regression Trees, 3.4.3).
The best alone would ask more often for differences that are chance.

Exit codes: 0 the entry was written; 1 a file or the data set failed, or asking does not help; 2 the
command line cannot be meant.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from train.startup import start

start("export")

from edge_runtime.errors import EdgeRuntimeError, OutputError
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.model import Model
from edge_runtime.inference.scores import mean
from edge_runtime.inference.second_opinion import unsure
from edge_runtime.support.console import complain
from edge_runtime.support.files import file_sha256, replacing
from edge_runtime.support.metrics import top1
from edge_runtime.support.options import run_command
from edge_runtime.support.outputs import output_file
from edge_runtime.tflite.metadata import with_card
from export.checks import data_path
from export.errors import ExportError
from export.measured import acceptance
from export.verify import file_scores
from train.cifar10 import ENVIRONMENT_VARIABLE
from train.data import load_for
from train.dataset import DataError, Dataset
from train.reason import sentence

_THRESHOLDS = np.arange(257) / 256


def choose(
    first: NDArray[np.float32], second: NDArray[np.float32], labels: NDArray[np.integer]
) -> float:
    """Return the score below which the second model should be asked; 0 if it never should.

    Args:
        first: scores of the first model, float32 (N, classes), 0-1.
        second: scores of the second model for the same images, float32 (N, classes), 0-1.
        labels: integer (N,), true class indices.
    """
    alone = first.argmax(axis=1) == labels
    both = mean([first, second]).argmax(axis=1) == labels
    asked = unsure(first[:, None], _THRESHOLDS)
    right = np.where(asked, both[:, None], alone[:, None])  # (N, thresholds)
    accuracy = right.mean(axis=0)
    best = int(accuracy.argmax())
    error = np.sqrt((right != right[:, [best]]).sum(axis=0)) / len(labels)
    return float(_THRESHOLDS[np.argmax(accuracy >= accuracy[best] - error)])


class PairScores(NamedTuple):
    """Scores of both models for the same images, float32 (N, classes), 0-1."""

    first: NDArray[np.float32]
    second: NDArray[np.float32]

    def decided(self, unsure_below: float) -> NDArray[np.float32]:
        """Return the scores of both models together, as the runtime decides."""
        asked = unsure(self.first, unsure_below)
        return np.where(asked[:, None], mean([self.first, self.second]), self.first)


def entry(name: str, held_out: PairScores, test: PairScores, data: Dataset) -> dict[str, Any]:
    """Return what the first model's card says about a second model.

    Args:
        name: of the second model.
        held_out: their scores of the held-out images, which choose the threshold.
        test: their scores of the test images, which bound the error.
        data: the data set; no model was trained on these images.
    """
    labels = data.held_out.labels
    unsure_below = choose(*held_out, labels)
    both = held_out.decided(unsure_below)
    return {
        "name": name,
        "unsure_below": unsure_below,
        "measured_on": f"{len(labels):,} held-out images",
        "images": len(labels),
        "asked": float(unsure(held_out.first, unsure_below).mean()),
        "top1": {
            "first": top1(held_out.first, labels),
            "second": top1(held_out.second, labels),
            "both": top1(both, labels),
        },
        "acceptance": acceptance(both, test.decided(unsure_below), data),
    }


def with_entry(first: Path, second: Path, found: dict[str, Any]) -> bytes:
    """Return the first model's file with an entry in its card."""
    card = dict(read_metadata(first).card)
    entries = dict(card.get("second_opinions", {}))
    card["second_opinions"] = entries | {file_sha256(second): found}
    return with_card(first.read_bytes(), card)


def measured(first: Path, second: Path, data: Path | None) -> dict[str, Any]:
    """Return the entry for two files, measured on a data set's held-out images.

    Raises:
        DataError: the data set is missing or damaged.
        EdgeRuntimeError: a file cannot be used, or the two have different labels.
        ExportError: the first file is not one of our exports, or not for this data set, or asking
            the second does not help.
    """
    if not read_metadata(first).card:
        raise ExportError(f"{first} has no model card; name a file that this project exported.")
    with Model(first, accept_all=True, second_opinion=second, unsure_below=0) as model:
        labels = model.labels  # those of both
        assert model.second is not None  # asked for above
        sides = [max(each.preprocessing.size) for each in (model, model.second.model)]
    loaded = load_for(data, sides)
    if labels != tuple(loaded.class_names):
        raise ExportError(
            f"{first} has other classes than {data or 'CIFAR-10'}; name its data set with --data."
        )
    held_out, test = (
        PairScores(*(file_scores(file, part.images) for file in (first, second)))
        for part in (loaded.held_out, loaded.test)
    )
    found = entry(second.stem, held_out, test, loaded)
    if found["unsure_below"] == 0:
        raise ExportError(
            f"{second} does not make {first} more accurate on {found['measured_on']}; choose "
            f"another second model."
        )
    return found


def main(
    first: Annotated[
        Path, typer.Argument(metavar="FIRST", help="A .tflite file, which gets the entry.")
    ],
    second: Annotated[
        Path, typer.Argument(metavar="SECOND", help="A .tflite file to ask for a second opinion.")
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data set whose held-out images decide: CIFAR-10's binary archive, or the folder "
            "of images that the networks were trained on.",
            show_default=f"${ENVIRONMENT_VARIABLE}",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write.", show_default="FIRST")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file if it exists, as FIRST does.")
    ] = False,
) -> None:
    """Write into a model's card when it should ask a second model."""
    for path in (first, second):
        if not path.is_file():
            raise typer.BadParameter(f"{path} is not a file; name a .tflite file.")
    if data is not None and not data.expanduser().exists():
        raise typer.BadParameter(f"--data {data} does not exist; check the name.")
    target = out or first
    inputs = [second] if out is None else [first, second]
    try:
        file = output_file(
            target, subject=f"{target}", inputs=inputs, overwrite=overwrite, parents=True
        )
    except OutputError as exc:
        raise typer.BadParameter(str(exc)) from exc
    try:
        found = measured(first, second, data_path(data))
        content = with_entry(first, second, found)
        with replacing(file, overwrite=overwrite) as temporary:
            temporary.write_bytes(content)
    except (DataError, EdgeRuntimeError, ExportError, OSError) as exc:
        complain(sentence(exc), program="export")
        raise typer.Exit(1) from exc
    accuracy = found["top1"]
    typer.echo(
        f"{target}: asks {found['name']} below {found['unsure_below']:.3f}, for "
        f"{found['asked']:.1%} of {found['measured_on']}; top-1 {accuracy['both']:.2%}, alone "
        f"{accuracy['first']:.2%} and {accuracy['second']:.2%}"
    )


if __name__ == "__main__":
    run_command(main)
