"""What the commands that train a network do: check the options, load the data, train, report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import typer

from edge_runtime.errors import OutputError, ResumeError
from edge_runtime.support.console import INTERRUPTED, complain
from train import checkpoint, imagenet, outliers, run, run_checks, run_files
from train.data import load
from train.dataset import SIDE, DataError
from train.fit import DivergedError
from train.networks import NETWORKS
from train.options import DATA_REMEDY, TrainingOptions, check_exists
from train.outlier_files import TINY_IMAGENET
from train.reason import sentence
from train.run_files import RunError
from train.weights import CheckpointError, file_hash


def train_network(
    network: str,
    options: TrainingOptions,
    *,
    weights: str | None = None,
    sha256: str | None = None,
    teachers: list[Path] | None = None,
    side: int | None = None,
) -> None:
    """Run a command that trains a network; print the report, or fail as `train.__main__` says.

    Args:
        network: a name in `train.networks.NETWORKS`.
        options: the values of the shared options.
        weights: value of --weights.
        sha256: value of --sha256.
        teachers: values of --teacher.
        side: value of --side.

    Raises:
        typer.BadParameter: options contradict each other, or name a file that does not exist.
        typer.Exit: the training cannot start, failed or was stopped; the message is printed.
    """
    recipe, why = options.recipe_for(network)
    if options.resume and options.overwrite:
        raise typer.BadParameter("expected --resume or --overwrite, but got both.")
    name = options.run_name
    if side:
        recipe = replace(recipe, architecture={**recipe.architecture, "side": side})
        name += f"-side-{side}"
    teachers = [path.expanduser() for path in teachers or []]
    if teachers and not recipe.teacher:
        raise typer.BadParameter(f"--teacher: {name} has no teacher; omit the option.")
    if options.continue_from and not recipe.continues:
        raise typer.BadParameter(
            f"--from: {name} continues no checkpoint; use --recipe continued or outlier-head."
        )
    if weights and recipe.continues:
        raise typer.BadParameter(f"--weights: {name} continues a checkpoint; name it with --from.")
    if recipe.only_outlier_head and not recipe.outlier_weight:
        raise typer.BadParameter("--without outliers: the head learns from nothing else; omit it.")
    if recipe.only_outlier_head and not (options.outliers or options.own_outliers):
        raise typer.BadParameter(
            f"--recipe: {name} learns from outliers; name a folder or archive of them, or "
            f"{TINY_IMAGENET}, with --outliers."
        )
    first = options.continue_from or (None if weights in (None, "imagenet") else Path(weights))
    first = first and first.expanduser()
    outlier_paths = [Path(p).expanduser() for p in options.outliers or [] if p != TINY_IMAGENET]
    check_exists("--data", options.data, DATA_REMEDY)
    for path in teachers:
        check_exists("--teacher", path, "name a file with its weights", folder=False)
    for path in outlier_paths:
        check_exists("--outliers", path, f"name a folder or archive of images, or {TINY_IMAGENET}")
    check_exists("--from", options.continue_from, "name a file with weights", folder=False)
    check_exists("--weights", first, "name a safetensors file, or imagenet", folder=False)
    run_dir = options.out or Path("runs") / f"{network}-{name}"

    def check() -> None:
        run_checks.check(
            run_dir,
            recipe,
            data=options.data_folder,
            outliers=outlier_paths,
            inputs=[path for path in (*teachers, *outlier_paths, first) if path],
            resume=options.resume,
            overwrite=options.overwrite,
        )

    try:
        check()
        own_side = recipe.architecture.get("side", NETWORKS[network].side)
        image_side = SIDE if recipe.enlarge else own_side
        data = load(options.data, image_side)
        sources = outliers.load(options.outliers or [], options.own_outliers, image_side)
        for source in sources:
            typer.echo(
                f"outliers in {source.name}: {len(source.train):,} images of "
                f"{len(source.train_classes):,} classes to train on, {len(source.validation):,} of "
                f"{len(source.validation_classes):,} others to validate with"
            )
        start_from = first if options.continue_from else _start_from(weights, sha256)
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
                teachers=teachers,
                outliers=sources,
                overwrite=options.overwrite,
            )
        typer.echo(report)
    except KeyboardInterrupt:
        fail(_how_to_continue(run_dir, options), code=INTERRUPTED)
    except (OutputError, ResumeError) as exc:
        fail(str(exc), code=2)
    except (DataError, RunError, CheckpointError, DivergedError, OSError) as exc:
        fail(sentence(exc))


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


def fail(message: str, code: int = 1) -> NoReturn:
    """Print an error and end the command with an exit code."""
    complain(message, program="train")
    raise typer.Exit(code)
