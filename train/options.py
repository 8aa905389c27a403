"""The options that the commands which train a network share, said once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Concatenate

import typer

from train import precision
from train.data import location
from train.folder import none_of_these
from train.recipe import IMPROVEMENTS, Recipe
from train.recipes import RECIPES


class PrecisionName(StrEnum):
    """The arithmetic of a training by its name on the command line."""

    AUTO = "auto"
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


# Not every network has every recipe, nor every recipe every improvement.
_recipe_names = dict.fromkeys(name for _, name in RECIPES)
RecipeName = StrEnum("RecipeName", [(n, n) for n in _recipe_names])  # type: ignore[misc]
Improvement = StrEnum("Improvement", [(n, n) for n in IMPROVEMENTS])  # type: ignore[misc]
_BEST = RecipeName("best")
DEFAULT_DATA = "$EDGE_CIFAR10, otherwise the official archive is downloaded"
DATA_REMEDY = "name cifar-10-binary.tar.gz, the folder cifar-10-batches-bin, or a folder of images"


@dataclass(frozen=True)
class TrainingOptions:
    """The values of the shared options; every field is one."""

    recipe: Annotated[RecipeName, typer.Option(help="Train by this recipe.")] = _BEST
    data: Annotated[
        Path | None,
        typer.Option(
            help="Train on this data: cifar-10-binary.tar.gz, a folder with it or with its .bin "
            "files, or a folder of your own images, {train,test}/CLASS/*.png.",
            show_default=DEFAULT_DATA,
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the run to this folder: a new or empty one, or that of a run.",
            show_default="runs/NETWORK-RECIPE",
        ),
    ] = None
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Set the random seed.")] = 0
    resume: Annotated[bool, typer.Option("--resume", help="Resume the stopped run in --out.")] = (
        False
    )
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Delete the run in --out and start over.")
    ] = False
    precision: Annotated[
        PrecisionName,
        typer.Option(
            help="Compute in this arithmetic. auto: the recipe's, but float32 if this machine is "
            "slow in bfloat16."
        ),
    ] = PrecisionName.AUTO
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Train for this many epochs, in one cycle of the learning rate.",
            show_default="the recipe's",
        ),
    ] = None
    outliers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Also learn from images of none of the classes: a folder or archive of them, or "
            "tiny-imagenet, which downloads 237 MiB. May be repeated.",
            show_default="train/none-of-these in --data, if it exists",
        ),
    ] = None
    continue_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Start from this checkpoint of the network, with --recipe continued or "
            "outlier-head.",
            show_default="the shipped one",
        ),
    ] = None
    without: Annotated[
        list[Improvement] | None,
        typer.Option(help="Leave out this improvement of the recipe. May be repeated."),
    ] = None

    @property
    def data_folder(self) -> Path | None:
        """Return where no run may be written. The default runs/ is no part of any data."""
        data = location(self.data)
        beside = self.out is None and data is not None and data.resolve() == Path.cwd()
        return None if beside else data

    @property
    def own_outliers(self) -> Path | None:
        """Return the folder of outliers in the user's own data, if there is one."""
        return none_of_these(location(self.data))

    @property
    def run_name(self) -> str:
        """Return the recipe's name and what changes it, such as best-10-epochs-without-cutout."""
        parts = [self.recipe.value]
        own = any(r.only_outlier_head for (_, name), r in RECIPES.items() if name == self.recipe)
        parts += ["with-outliers"] if self.outliers and not own else []
        parts += [f"{self.epochs}-epochs"] if self.epochs else []
        return "-".join(parts + [f"without-{name}" for name in self.without or []])

    def recipe_for(self, network: str) -> tuple[Recipe, str]:
        """Return a network's recipe with the options applied, and the reason for its precision.

        Raises:
            typer.BadParameter: the network lacks this recipe, or the recipe lacks an improvement.
        """
        recipe = RECIPES.get((network, self.recipe.value))
        if recipe is None:
            names = ", ".join(name for having, name in RECIPES if having == network)
            raise typer.BadParameter(f"--recipe: {network} has the recipes {names}.")
        if self.outliers or self.own_outliers:
            recipe = recipe.with_outliers()
        for improvement in self.without or []:
            try:
                recipe = recipe.without(improvement.value)
            except ValueError as exc:
                raise typer.BadParameter(f"--without: {exc}.") from exc
        chosen, why = precision.choose(recipe.precision)
        if self.precision is not PrecisionName.AUTO:
            chosen = "bfloat16" if self.precision is PrecisionName.BFLOAT16 else "float32"
            why = "as --precision says"
        if self.epochs:
            recipe = recipe.in_epochs(self.epochs)
        return replace(recipe, precision=chosen), why


def check_exists(option: str, path: Path | None, remedy: str, *, folder: bool = True) -> None:
    """Reject a path on the command line that does not exist, or is a folder instead of a file."""
    if path is None:
        return
    path = path.expanduser()
    if not path.exists():
        raise typer.BadParameter(f"{option} names {path}, which does not exist; {remedy}.")
    if path.is_dir() and not folder:
        raise typer.BadParameter(f"{option} names {path}, which is a folder; {remedy}.")


def with_training_options(
    command: Callable[Concatenate[TrainingOptions, ...], None],
) -> Callable[..., None]:
    """Give a command one option for each field of its first parameter, a `TrainingOptions`.

    Typer makes an option of each parameter in a function's signature, so this replaces the first
    parameter there by those of `TrainingOptions`.
    """
    shared = inspect.signature(TrainingOptions, eval_str=True).parameters
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]

    @wraps(command)
    def with_options(**given: Any) -> None:
        values = {name: given.pop(name) for name in shared}
        command(TrainingOptions(**values), **given)

    parameters = [*shared.values(), *own]
    with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    with_options.__annotations__ = {p.name: p.annotation for p in parameters}
    return with_options
