"""The command `python -m train`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from train.startup import start

start("train")

from edge_runtime.support.console import INTERRUPTED, complain
from train import architectures, imagenet, run, run_files
from train.architectures import NetworkName
from train.compare import compare_runs
from train.data import load
from train.dataset import DataError
from train.fit import DivergedError
from train.options import TrainingOptions, with_training_options
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
    _train("resnet18", options, weights=weights, sha256=sha256)


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
    typer.echo(architectures.layer_table(architectures.NETWORKS[network](**options)))


@app.command()
def ship(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
) -> None:
    """Make a run's weights the checkpoint from which exports start."""
    try:
        path = ship_run(run_dir)
    except (RunError, CheckpointError, OSError) as exc:
        _fail(str(exc))
    typer.echo(f"{path}: {path.stat().st_size:,} bytes")


@app.command()
def compare(
    run_dirs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of finished runs.")
    ],
    out: Annotated[Path, typer.Option(help="Draw the curves into this PNG file.")] = Path(
        "runs/compare.png"
    ),
) -> None:
    """Print the figures of several runs, and draw their curves side by side."""
    try:
        typer.echo(compare_runs(run_dirs, out))
    except (RunError, OSError) as exc:
        _fail(str(exc))
    typer.echo(f"{out}: curves of {len(run_dirs)} runs")


def _train(
    network: str,
    options: TrainingOptions,
    *,
    weights: str | None = None,
    sha256: str | None = None,
    teacher: Path | None = None,
) -> None:
    recipe, why = options.recipe_for(network)
    if options.resume and options.overwrite:
        raise typer.BadParameter("expected --resume or --overwrite, but got both.")
    name = options.run_name
    if teacher and not recipe.teacher:
        raise typer.BadParameter(f"--teacher: {name} has no teacher; omit the option.")
    run_dir = options.out or Path("runs") / f"{network}-{name}"
    try:
        data = load(options.data)
        start_from = _start_from(weights, sha256)
        with run_files.locked(run_dir):
            if not options.overwrite:
                run_files.check(run_dir, recipe, resume=options.resume)
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
        _fail(
            f"stopped; run the same command with --resume to continue (the finished epochs are in "
            f"{run_dir})",
            code=INTERRUPTED,
        )
    except (DataError, RunError, CheckpointError, DivergedError, OSError) as exc:
        _fail(str(exc))


def _start_from(weights: str | None, sha256: str | None) -> Path | None:
    """Return the checked file of the first weights; print its sha256 if none is required."""
    if weights is None:
        return None
    path = imagenet.download(sha256) if weights == "imagenet" else Path(weights)
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
