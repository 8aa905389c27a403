"""The command `python -m train`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from train.startup import start

start("train")

from train import architectures, cifar10, folder, run
from train.dataset import DataError
from train.weights import CheckpointError

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Train the networks and look at what they reached.",
)


class RecipeName(StrEnum):
    """The recipes that every network has."""

    SEED = "seed"
    BEST = "best"


class Network(StrEnum):
    """The networks by their names on the command line."""

    CNN = "cnn"
    RESNET18 = "resnet18"


class Stem(StrEnum):
    """The first layers of ResNet18, see `train.architectures.resnet18`."""

    CIFAR = "cifar"
    IMAGENET = "imagenet"


RecipeOption = Annotated[RecipeName, typer.Option(help="How to train.")]
DataOption = Annotated[
    Path | None,
    typer.Option(
        help="cifar-10-binary.tar.gz, the folder with its .bin files, or a folder of your own "
        "images, {train,test}/CLASS/*.png. Without it $EDGE_CIFAR10 is taken, or the official "
        "archive is downloaded."
    ),
]
OutOption = Annotated[
    Path | None, typer.Option(help="Folder of the run.", show_default="runs/NETWORK-RECIPE")
]
SeedOption = Annotated[int, typer.Option(min=0, help="Of every random number.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Delete the run in --out and start again.")
]


@app.command()
def cnn(
    recipe: RecipeOption = RecipeName.BEST,
    data: DataOption = None,
    out: OutOption = None,
    seed: SeedOption = 0,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Train the 551,466-parameter CNN."""
    _train(Network.CNN, recipe, data, out, seed, resume, overwrite)


@app.command()
def resnet18(
    recipe: RecipeOption = RecipeName.BEST,
    data: DataOption = None,
    out: OutOption = None,
    seed: SeedOption = 0,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Train ResNet18: the adjusted one, or by the seed's recipe the one of its table."""
    _train(Network.RESNET18, recipe, data, out, seed, resume, overwrite)


@app.command()
def summary(
    network: Annotated[Network, typer.Argument(help="Which network.")],
    stem: Annotated[Stem, typer.Option(help="Of ResNet18.")] = Stem.CIFAR,
) -> None:
    """Print a network's layers, output shapes and parameters."""
    options = {"stem": stem.value} if network is Network.RESNET18 else {}
    typer.echo(architectures.summary(architectures.NETWORKS[network](**options)))


@app.command()
def ship(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.")],
) -> None:
    """Make a run's weights the checkpoint that exports start from."""
    try:
        path = run.ship(run_dir)
    except (run.RunError, CheckpointError, OSError) as exc:
        _fail(str(exc))
    typer.echo(f"{path}: {path.stat().st_size:,} bytes")


def _train(
    network: Network,
    recipe: RecipeName,
    data: Path | None,
    out: Path | None,
    seed: int,
    resume: bool,
    overwrite: bool,
) -> None:
    run_dir = out or Path("runs") / f"{network}-{recipe}"
    try:
        loaded = (
            folder.load(data)
            if data is not None and folder.holds_images(data)
            else cifar10.load(data)
        )
        run.prepare(run_dir, resume=resume, overwrite=overwrite)
        typer.echo(
            f"{len(loaded.train):,} images to train on, {len(loaded.held_out):,} held out, "
            f"{len(loaded.test):,} to test on; into {run_dir}"
        )
        typer.echo(run.train(network.value, recipe.value, loaded, run_dir, seed=seed))
    except KeyboardInterrupt:
        _fail(f"stopped; go on with --resume (the epochs done are in {run_dir})", code=130)
    except (DataError, run.RunError, CheckpointError, OSError) as exc:
        _fail(str(exc))


def _fail(message: str, code: int = 1) -> None:
    typer.echo(f"train: {message}", err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m train")
