"""The command `python -m train`.

Exit codes: 0 all is done; 1 a file, a data set or a run that is there failed; 2 the command line
cannot be meant, for example because something would be lost; 130 stopped.
"""

from __future__ import annotations

import re
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from train.startup import start

start("train")

from edge_runtime.errors import OutputError, ResumeError
from edge_runtime.support.console import INTERRUPTED, complain
from edge_runtime.support.outputs import output_file
from train import architectures, checkpoint, imagenet, run, run_checks, run_files
from train.compare import compare_runs
from train.data import load
from train.dataset import DataError
from train.fit import DivergedError
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
from train.weights import CheckpointError, file_hash

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Train the networks, and look at what they reach.",
)


_COMPARED = Path("runs/compare.png")


class Stem(StrEnum):
    """The first layers of ResNet18, see `train.architectures.resnet18`."""

    CIFAR = "cifar"
    IMAGENET = "imagenet"


@app.command()
@with_training_options
def cnn(
    options: TrainingOptions,
    teacher: Annotated[
        Path | None,
        typer.Option(
            help="Learn from a teacher with these weights.", show_default="the shipped ResNet18"
        ),
    ] = None,
) -> None:
    """Train the CNN, which has 551,466 parameters."""
    _train("cnn", options, teacher=teacher)


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
) -> None:
    """Train ResNet18 with a 3 x 3 stem; --recipe seed trains the one with ImageNet's stem."""
    if sha256 and not weights:
        raise typer.BadParameter("--sha256 requires --weights.")
    if sha256 and not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise typer.BadParameter(
            f"expected --sha256 to be 64 hexadecimal digits, but got {sha256}."
        )
    _train("resnet18", options, weights=weights, sha256=sha256)


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
    """Fine-tune EfficientNet-Lite0, trained on ImageNet, on the photographs in --data."""
    if options.data is None:
        raise typer.BadParameter(
            "efficientnet-lite0 is fine-tuned on your own photographs; name their folder with "
            "--data."
        )
    _train("efficientnet-lite0", options, side=side)


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
        _fail(sentence(exc))


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
        _fail(str(exc), code=2)
    except (RunError, OSError) as exc:
        _fail(sentence(exc))


def _train(
    network: str,
    options: TrainingOptions,
    *,
    weights: str | None = None,
    sha256: str | None = None,
    teacher: Path | None = None,
    side: int | None = None,
) -> None:
    recipe, why = options.recipe_for(network)
    if options.resume and options.overwrite:
        raise typer.BadParameter("expected --resume or --overwrite, but got both.")
    name = options.run_name
    if side:
        recipe = replace(recipe, architecture={**recipe.architecture, "side": side})
        name += f"-side-{side}"
    if teacher and not recipe.teacher:
        raise typer.BadParameter(f"--teacher: {name} has no teacher; omit the option.")
    first = None if weights in (None, "imagenet") else Path(weights)
    check_exists("--data", options.data, DATA_REMEDY)
    check_exists("--teacher", teacher, "name a file with its weights", folder=False)
    check_exists("--weights", first, "name a safetensors file, or imagenet", folder=False)
    run_dir = options.out or Path("runs") / f"{network}-{name}"

    def check() -> None:
        run_checks.check(
            run_dir,
            recipe,
            data=options.data_folder,
            inputs=[path for path in (teacher, first) if path],
            resume=options.resume,
            overwrite=options.overwrite,
        )

    try:
        check()
        data = load(options.data, recipe.architecture.get("side", NETWORKS[network].side))
        start_from = _start_from(weights, sha256)
        with run_files.locked(run_dir):
            check()  # again, because another run may have been written meanwhile
            typer.echo(
                f"{len(data.train):,} images to train on, {len(data.held_out):,} held out, "
                f"{len(data.test):,} to test on; in {recipe.precision}, {why}; into {run_dir}"
            )
            report = run.train(
                recipe,
                name,
                data,
                run_dir,
                seed=options.seed,
                start_from=start_from,
                teacher=teacher,
                overwrite=options.overwrite,
            )
        typer.echo(report)
    except KeyboardInterrupt:
        _fail(_how_to_continue(run_dir, options), code=INTERRUPTED)
    except (OutputError, ResumeError) as exc:
        _fail(str(exc), code=2)
    except (DataError, RunError, CheckpointError, DivergedError, OSError) as exc:
        _fail(sentence(exc))


def _how_to_continue(run_dir: Path, options: TrainingOptions) -> str:
    """Return what to do after the training was stopped."""
    finished = (run_dir / run_files.REPORT).exists()
    if not (run_dir / checkpoint.FILE).exists() or (finished and not options.resume):
        return "stopped before the first epoch was finished; run the same command to start over"
    how = " with --resume instead of --overwrite" if options.overwrite else " with --resume"
    return (
        f"stopped; run the same command{'' if options.resume else how} to continue (the finished "
        f"epochs are in {run_dir})"
    )


def _start_from(weights: str | None, sha256: str | None) -> Path | None:
    """Return the checked file of the first weights; print its sha256 if none is required."""
    if weights is None:
        return None
    path = imagenet.download(sha256) if weights == "imagenet" else Path(weights).expanduser()
    if sha256:
        imagenet.check(path, sha256)
    else:
        typer.echo(f"{path}: sha256 {file_hash(path)}; pin it with --sha256")
    return path


def _fail(message: str, code: int = 1) -> NoReturn:
    complain(message, program="train")
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m train")
