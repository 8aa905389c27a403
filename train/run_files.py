"""The folder of a run: its files, its lock, and whether a run may begin in it.

runs/cnn-seed/
    checkpoint.safetensors   the state after the last whole epoch, from which a run resumes
    teacher-N.npy            a teacher's scores of view N, if the recipe limits the number of views
    weights.safetensors      the deployed network, float32
    history.json             a row an epoch
    report.json              figures on held-out and test images, and how they came about
    held-out.safetensors     scores, float32 (N, classes), and labels, uint8 (N,), to compare with
    curves.png, confusion.png, reliability.png, mistakes.png
    .lock                    locked while a process trains here
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from edge_runtime.support.files import replacing
from train import checkpoint
from train.recipes import Recipe

WEIGHTS = "weights.safetensors"
HISTORY = "history.json"
REPORT = "report.json"
HELD_OUT = "held-out.safetensors"
CURVES = "curves.png"
CONFUSION = "confusion.png"
RELIABILITY = "reliability.png"
MISTAKES = "mistakes.png"
PLOTS = (CURVES, CONFUSION, RELIABILITY, MISTAKES)
_LOCK = ".lock"


class RunError(Exception):
    """A run's folder is not in the state that a command needs."""


def check(run_dir: Path, recipe: Recipe, *, resume: bool) -> None:
    """Make sure that a run may begin in `run_dir` without deleting anything.

    A finished run may be resumed if its recipe has changed since, for example by another cycle of
    the learning rate. Its checkpoint then decides whether the new recipe continues the old one.

    Raises:
        RunError: the folder holds a run that `resume` does not continue.
    """
    if (run_dir / REPORT).exists() and not (
        resume
        and (run_dir / checkpoint.FILE).exists()
        and read_report(run_dir)["recipe"] != json.loads(json.dumps(asdict(recipe)))
    ):
        raise RunError(f"{run_dir} holds a finished run; choose another --out, or --overwrite it.")
    if (run_dir / checkpoint.FILE).exists() and not resume:
        raise RunError(f"{run_dir} holds an interrupted run; --resume it, or --overwrite it.")


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Keep other processes from training in a folder; make the folder if it is missing.

    The operating system drops the lock when the process ends, so a crash leaves none behind.

    Raises:
        RunError: another process is training there.
        OSError: the folder cannot be made.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run_dir / _LOCK, timeout=0)
    try:
        with suppress(OSError):  # some file systems have no locks
            try:
                lock.acquire()
            except Timeout:
                raise RunError(
                    f"Another process is training in {run_dir}; choose another --out."
                ) from None
        yield
    finally:
        lock.release()


def clear(run_dir: Path) -> None:
    """Delete a run, except for its teacher's scores, which every new run deletes itself."""
    for name in (checkpoint.FILE, WEIGHTS, HISTORY, REPORT, HELD_OUT, *PLOTS):
        (run_dir / name).unlink(missing_ok=True)


def read_report(run_dir: Path) -> dict[str, Any]:
    """Return the report of a finished run.

    Raises:
        RunError: there is none, or it is no JSON.
    """
    try:
        report: dict[str, Any] = json.loads((run_dir / REPORT).read_text())
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise RunError(
            f"{run_dir} holds no finished run ({REPORT}: {reason}); train it first."
        ) from exc
    return report


def write_json(path: Path, value: Any) -> None:
    """Write JSON types to a file, atomically.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")
