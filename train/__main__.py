"""The command `python -m train`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from train.startup import start

start("train")

from train import cifar10, run
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


@app.command("cnn")
def cnn(
    recipe: Annotated[RecipeName, typer.Option(help="How to train.")] = RecipeName.BEST,
    data: Annotated[
        Path | None,
        typer.Option(
            help="cifar-10-binary.tar.gz, or the folder with its .bin files. "
            "Without it $EDGE_CIFAR10 is taken, or the official archive is downloaded."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the run.", show_default="runs/cnn-RECIPE")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every random number.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete the run in --out and start again.")
    ] = False,
) -> None:
    """Train the 551,466-parameter CNN."""
    run_dir = out or Path("runs") / f"cnn-{recipe}"
    try:
        run.prepare(run_dir, resume=resume, overwrite=overwrite)
        loaded = cifar10.load(data)
        typer.echo(
            f"{len(loaded.train):,} images to train on, {len(loaded.held_out):,} held out, "
            f"{len(loaded.test):,} to test on; into {run_dir}"
        )
        typer.echo(run.train("cnn", recipe.value, loaded, run_dir, seed=seed))
    except KeyboardInterrupt:
        _fail(f"stopped; go on with --resume (the epochs done are in {run_dir})", code=130)
    except (cifar10.DataError, run.RunError, CheckpointError, OSError) as exc:
        _fail(str(exc))


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


def _fail(message: str, code: int = 1) -> None:
    typer.echo(f"train: {message}", err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m train")
