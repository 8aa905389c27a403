"""The command `python -m train`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from train.startup import start

start("train")

from train import architectures, imagenet, precision, run
from train.data import load
from train.dataset import DataError
from train.fit import DivergedError
from train.recipes import IMPROVEMENTS, RECIPES, Recipe
from train.weights import CheckpointError, file_hash

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Train the networks and look at what they reached.",
)


class RecipeName(StrEnum):
    """The recipes by their names on the command line; not every network has each."""

    SEED = "seed"
    BEST = "best"
    UNTAUGHT = "untaught"


class Precision(StrEnum):
    """The arithmetic of a training."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


Improvement = StrEnum("Improvement", [(n, n) for n in IMPROVEMENTS])  # type: ignore[misc]


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
        help="cifar-10-binary.tar.gz, a folder with it or with its .bin files, or a folder of your "
        "own images, {train,test}/CLASS/*.png. Without it $EDGE_CIFAR10 is taken, or the official "
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
PrecisionOption = Annotated[
    Precision,
    typer.Option(help="auto: the recipe's, or float32 where this machine is slow in bfloat16."),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(min=1, help="In one cycle of the learning rate.", show_default="the recipe's"),
]
WithoutOption = Annotated[
    list[Improvement] | None,
    typer.Option(help="Leave an improvement out, to see what it is worth; may be repeated."),
]


@app.command()
def cnn(
    recipe: RecipeOption = RecipeName.BEST,
    data: DataOption = None,
    out: OutOption = None,
    seed: SeedOption = 0,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    precision: PrecisionOption = Precision.AUTO,
    epochs: EpochsOption = None,
    without: WithoutOption = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="Weights of the teacher.", show_default="the shipped ResNet18"),
    ] = None,
) -> None:
    """Train the 551,466-parameter CNN."""
    chosen = _Choice(Network.CNN, recipe, precision, epochs, without or [])
    _train(chosen, data, out, seed, resume, overwrite, teacher=teacher)


@app.command()
def resnet18(
    recipe: RecipeOption = RecipeName.BEST,
    data: DataOption = None,
    out: OutOption = None,
    seed: SeedOption = 0,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    precision: PrecisionOption = Precision.AUTO,
    epochs: EpochsOption = None,
    without: WithoutOption = None,
    weights: Annotated[
        str | None,
        typer.Option(
            help="Start from a safetensors file with torchvision's names, or from 'imagenet', "
            "which downloads torchvision's weights.",
            show_default="random",
        ),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="What the file of --weights must have.")
    ] = None,
) -> None:
    """Train ResNet18: the adjusted one, or by the seed's recipe the one of its table."""
    if sha256 and not weights:
        raise typer.BadParameter("it says what the file of --weights must have.")
    chosen = _Choice(Network.RESNET18, recipe, precision, epochs, without or [])
    _train(chosen, data, out, seed, resume, overwrite, weights=weights, sha256=sha256)


@app.command()
def summary(
    network: Annotated[Network, typer.Argument(help="Which network.")],
    stem: Annotated[Stem | None, typer.Option(help="Of ResNet18.", show_default="cifar")] = None,
) -> None:
    """Print a network's layers, output shapes and parameters."""
    if stem and network is not Network.RESNET18:
        raise typer.BadParameter(f"--stem: {network} has no other stem; leave it out.")
    options = {"stem": stem.value} if stem else {}
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


@app.command()
def compare(
    run_dirs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Finished runs.")],
    out: Annotated[Path, typer.Option(help="PNG file for the curves.")] = Path("runs/compare.png"),
) -> None:
    """Print the figures of several runs, and draw their curves side by side."""
    try:
        typer.echo(run.compare(run_dirs, out))
    except (run.RunError, OSError) as exc:
        _fail(str(exc))
    typer.echo(f"{out}: curves of {len(run_dirs)} runs")


@dataclass(frozen=True)
class _Choice:
    """A recipe as the options change it."""

    network: Network
    recipe_name: RecipeName
    precision: Precision
    epochs: int | None
    without: list[Improvement]

    @property
    def name(self) -> str:
        """Return what tells the run from others: best-10-epochs-without-cutout."""
        parts = [self.recipe_name.value]
        parts += [f"{self.epochs}-epochs"] if self.epochs else []
        return "-".join(parts + [f"without-{name}" for name in self.without])

    def recipe(self) -> tuple[Recipe, str]:
        """Return the recipe, and why it is trained in its precision.

        Raises:
            typer.BadParameter: the network has no such recipe, or that no such improvement.
        """
        recipe = RECIPES.get((self.network.value, self.recipe_name.value))
        if recipe is None:
            names = ", ".join(name for network, name in RECIPES if network == self.network.value)
            raise typer.BadParameter(f"--recipe: {self.network} has the recipes {names}.")
        for improvement in self.without:
            try:
                recipe = recipe.without(improvement.value)
            except ValueError as exc:
                raise typer.BadParameter(f"--without: {exc}.") from exc
        chosen, why = precision.choose(recipe.precision)
        if self.precision is not Precision.AUTO:
            chosen = "bfloat16" if self.precision is Precision.BFLOAT16 else "float32"
            why = "as --precision says"
        if self.epochs:
            recipe = recipe.in_epochs(self.epochs)
        return replace(recipe, precision=chosen), why


def _train(
    choice: _Choice,
    data: Path | None,
    out: Path | None,
    seed: int,
    resume: bool,
    overwrite: bool,
    *,
    weights: str | None = None,
    sha256: str | None = None,
    teacher: Path | None = None,
) -> None:
    recipe, why = choice.recipe()
    if resume and overwrite:
        raise typer.BadParameter("expected --resume or --overwrite, but got both.")
    if teacher and not recipe.teacher:
        raise typer.BadParameter(f"--teacher: {choice.name} has no teacher; leave it out.")
    run_dir = out or Path("runs") / f"{choice.network}-{choice.name}"
    try:
        loaded = load(data)
        start_from = _start_from(weights, sha256)
        with run.alone(run_dir):
            if not overwrite:
                run.check(run_dir, recipe, resume=resume)
            typer.echo(
                f"{len(loaded.train):,} images to train on, {len(loaded.held_out):,} held out, "
                f"{len(loaded.test):,} to test on; in {recipe.precision}, {why}; into {run_dir}"
            )
            report = run.train(
                recipe,
                choice.name,
                loaded,
                run_dir,
                seed=seed,
                start_from=start_from,
                teacher=teacher,
                overwrite=overwrite,
            )
        typer.echo(report)
    except KeyboardInterrupt:
        _fail(f"stopped; go on with --resume (the epochs done are in {run_dir})", code=130)
    except (DataError, run.RunError, CheckpointError, DivergedError, OSError) as exc:
        _fail(str(exc))


def _start_from(weights: str | None, sha256: str | None) -> Path | None:
    """Return the file of first weights, checked; print its sha256 where nothing pins it."""
    if weights is None:
        return None
    path = imagenet.download(sha256) if weights == "imagenet" else Path(weights)
    if sha256:
        imagenet.check(path, sha256)
    else:
        typer.echo(f"{path}: sha256 {file_hash(path)}; pin it with --sha256")
    return path


def _fail(message: str, code: int = 1) -> None:
    typer.echo(f"train: {message}", err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    app(prog_name="python -m train")
