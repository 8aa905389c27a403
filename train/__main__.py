"""The command `python -m train`.

Exit codes: 0 all is done; 1 a file, a data set or a run that is there failed; 2 the command line
cannot be meant, for example because something would be lost; 130 stopped.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from train.startup import start

start("train")

from edge_runtime.errors import OutputError
from edge_runtime.support.outputs import output_file
from train import architectures
from train.compare import compare_runs
from train.dataset import DataError
from train.launch import fail, train_network
from train.networks import NETWORKS, NetworkName
from train.options import (
    DATA_REMEDY,
    DEFAULT_DATA,
    TrainingOptions,
    check_exists,
    with_training_options,
)
from train.reason import sentence
from train.run_files import RunError
from train.ship import ship_run
from train.weights import CheckpointError

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Train the networks, and look at what they reach.",
)


_COMPARED = Path("runs/compare.png")


TeacherOption = Annotated[
    list[Path] | None,
    typer.Option(
        help="Learn from a teacher with these weights, of any network. May be repeated: then the "
        "mean of their scores teaches.",
        show_default="the shipped ResNet18",
    ),
]


class Stem(StrEnum):
    """The first layers of ResNet18, see `train.architectures.resnet18`."""

    CIFAR = "cifar"
    IMAGENET = "imagenet"


@app.command()
@with_training_options
def cnn(
    options: TrainingOptions,
    teacher: TeacherOption = None,
) -> None:
    """Train the CNN, which has 551,466 parameters."""
    train_network("cnn", options, teachers=teacher)


@app.command()
@with_training_options
def resnet18(
    options: TrainingOptions,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Start from this safetensors file with torchvision's names, or from 'imagenet', "
            "which downloads torchvision's weights.",
            show_default="random",
        ),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="Refuse a file of --weights that has another sha256.")
    ] = None,
    teacher: TeacherOption = None,
) -> None:
    """Train ResNet18 with a 3 x 3 stem; --recipe seed trains the one with ImageNet's stem."""
    if sha256 and not weights:
        raise typer.BadParameter("--sha256 requires --weights.")
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise typer.BadParameter(
            f"expected --sha256 to be 64 hexadecimal digits, but got {sha256}."
        )
    train_network("resnet18", options, weights=weights, sha256=sha256, teachers=teacher)


@app.command(name="efficientnet-lite0")
@with_training_options
def efficientnet_lite0(
    options: TrainingOptions,
    side: Annotated[
        int | None,
        typer.Option(
            min=32,
            max=512,
            help="Take images of this side in pixels. More pixels take more time, also on the "
            "device.",
            show_default="the recipe's",
        ),
    ] = None,
) -> None:
    """Fine-tune EfficientNet-Lite0, trained on ImageNet, on the photographs in --data.

    --recipe cifar10 makes a teacher of CIFAR-10, whose images it enlarges.
    """
    if options.data is None and options.recipe != "cifar10":
        raise typer.BadParameter(
            "efficientnet-lite0 is fine-tuned on your own photographs; name their folder with "
            "--data."
        )
    train_network("efficientnet-lite0", options, side=side)


@app.command()
def summary(
    network: Annotated[NetworkName, typer.Argument(help="Network to describe.")],
    stem: Annotated[
        Stem | None, typer.Option(help="Give ResNet18 this stem.", show_default="cifar")
    ] = None,
) -> None:
    """Print a network's layers with their output shapes and parameters."""
    if stem and network != "resnet18":
        raise typer.BadParameter(f"--stem: {network} has no other stem; omit the option.")
    options = {"stem": stem.value} if stem else {}
    typer.echo(architectures.layer_table(NETWORKS[network].build(**options)))


@app.command()
def ship(
    run_dir: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="Folder of a finished run.", exists=True, file_okay=False
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Compare on the held-out images of this data, with which the run was trained.",
            show_default=DEFAULT_DATA,
        ),
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Ship the run even if it is less accurate.")
    ] = False,
) -> None:
    """Make a run's weights the checkpoint from which exports start.

    A run that classifies the held-out images worse than the shipped checkpoint is refused.
    """
    check_exists("--data", data, DATA_REMEDY)
    try:
        path = ship_run(run_dir, data, accept_loss=accept_loss, say=typer.echo)
        typer.echo(f"{path}: {path.stat().st_size:,} bytes")
    except (DataError, RunError, CheckpointError, OSError) as exc:
        fail(sentence(exc))


@app.command()
def compare(
    run_dirs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...", help="Folders of finished runs.", exists=True, file_okay=False
        ),
    ],
    out: Annotated[Path, typer.Option(help="Draw the curves into this PNG file.")] = _COMPARED,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file at --out if it exists.")
    ] = False,
) -> None:
    """Print the figures of several runs, and draw their curves side by side."""
    try:
        path = out
        if out != _COMPARED or out.parent.exists():  # otherwise the folder is made
            files = [file for run_dir in run_dirs for file in run_dir.iterdir()]
            path = output_file(out, inputs=files, overwrite=overwrite)
        typer.echo(compare_runs(run_dirs, path))
        typer.echo(f"{out}: curves of {len(run_dirs)} runs")
    except OutputError as exc:
        fail(str(exc), code=2)
    except (RunError, OSError) as exc:
        fail(sentence(exc))


if __name__ == "__main__":
    app(prog_name="python -m train")
