"""Whether a run may begin in a folder, checked before anything is read or written.

A run writes files with fixed names. So it begins only in a folder that is new or empty, or that
holds a run; and never among sources, or over a file that it reads.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import safetensors

from edge_runtime.errors import OutputError, ResumeError
from edge_runtime.support.outputs import identities, identity
from train import checkpoint
from train.recipe import Recipe
from train.run_files import OWN, REPORT, RunError, read_report

_ROOT = Path(__file__).resolve().parents[1]
_SOURCES = (
    "benchmarks",
    "docs",
    "edge_runtime",
    "examples",
    "export",
    "tests",
    "train",
    "web",
    ".git",
)
# What a start that was killed leaves, and what the systems' file managers put into any folder.
_LEFT = re.compile(
    r"\.lock|teacher-\d+\.npy|\..+\.[0-9a-f]{8}\.(safetensors|json|png|npy)"
    r"|\.DS_Store|Thumbs\.db|desktop\.ini"
)


def check(
    run_dir: Path,
    recipe: Recipe,
    *,
    data: Path | None = None,
    outliers: Iterable[Path] = (),
    inputs: Iterable[Path] = (),
    resume: bool = False,
    overwrite: bool = False,
) -> None:
    """Make sure that a run may begin in `run_dir`, and that no other file is lost by it.

    A finished run may be resumed if its recipe has changed since, for example by another cycle of
    the learning rate. Its checkpoint then decides whether the new recipe continues the old one.

    Args:
        data: the folder or archive of the data set.
        outliers: folders and archives of outliers.
        inputs: other files that the run reads.
        resume: whether the run in the folder is to be resumed.
        overwrite: whether the run in the folder may be deleted.

    Raises:
        OutputError: the folder cannot be one, lies among sources, holds other files, or holds a
            run that neither `resume` nor `overwrite` is meant for.
        ResumeError: there is nothing to resume.
    """
    _check_place(run_dir, data, outliers)
    finished = (run_dir / REPORT).exists()
    stopped = (run_dir / checkpoint.FILE).exists()
    if resume and not finished and not stopped:
        raise ResumeError(
            f"{run_dir} holds no run to resume; correct --out, or omit --resume to start a run "
            f"there."
            if run_dir.exists()
            else f"{run_dir} does not exist, so there is nothing to resume; correct --out, or omit "
            f"--resume to start a run there."
        )
    if not resume and not _holds_run(run_dir):
        _check_holds_nothing_else(run_dir)
    _check_replaces_no_input(run_dir, inputs)
    if overwrite:
        return
    if finished and not (resume and stopped and _recipe_changed(run_dir, recipe)):
        raise OutputError(
            f"{run_dir} holds a finished run; choose another --out, or --overwrite it."
        )
    if stopped and not resume:
        raise OutputError(f"{run_dir} holds an interrupted run; --resume it, or --overwrite it.")


def _check_place(run_dir: Path, data: Path | None, outliers: Iterable[Path]) -> None:
    """Refuse a path that cannot be a folder, and a folder among data or sources."""
    there = next(p for p in (run_dir, *run_dir.absolute().parents) if os.path.lexists(p))
    if not there.is_dir():
        raise OutputError(f"--out {run_dir}: {there} is not a folder; name another folder.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"--out {run_dir}: {there} is not writable; name another folder.")
    place = run_dir.resolve()
    for what, path in (("data", data), *(("outliers'", path) for path in outliers)):
        if path is not None and path.is_dir() and place.is_relative_to(path.resolve()):
            raise OutputError(
                f"--out {run_dir} is inside the {what} folder {path}; name a folder outside of it."
            )
    for name in _SOURCES:
        if place.is_relative_to(_ROOT / name):
            raise OutputError(
                f"--out {run_dir} is inside the source folder {_ROOT / name}; name another folder."
            )


def _holds_run(run_dir: Path) -> bool:
    """Return whether a run wrote the report or the checkpoint in a folder."""
    try:
        read_report(run_dir)
    except RunError:
        return _is_checkpoint(run_dir / checkpoint.FILE)
    return True


def _is_checkpoint(path: Path) -> bool:
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            return "identity" in (file.metadata() or {})
    except (OSError, safetensors.SafetensorError):
        return False


def _check_holds_nothing_else(run_dir: Path) -> None:
    """Refuse a folder without a run that holds other files, whatever their names."""
    names = [path.name for path in run_dir.iterdir()] if run_dir.exists() else []
    foreign = sorted(name for name in names if not _LEFT.fullmatch(name))
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise OutputError(
            f"--out {run_dir} holds {foreign[0]}{more}, but no run that can be read; name a new or "
            f"empty folder."
        )


def _check_replaces_no_input(run_dir: Path, inputs: Iterable[Path]) -> None:
    replaced = identities(run_dir / name for name in OWN)
    for path in inputs:
        if identity(path) in replaced:
            raise OutputError(
                f"--out {run_dir} would replace {path}, which is an input; name another folder."
            )


def _recipe_changed(run_dir: Path, recipe: Recipe) -> bool:
    try:
        previous = read_report(run_dir)["recipe"]
    except RunError as exc:
        raise OutputError(f"--out {run_dir}: {exc}") from exc
    return bool(previous != json.loads(json.dumps(asdict(recipe))))
