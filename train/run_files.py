"""The folder of a run: its files and its lock.

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
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from edge_runtime.errors import OutputError
from edge_runtime.support.files import replacing
from train import checkpoint
from train.reason import reason

WEIGHTS = "weights.safetensors"
HISTORY = "history.json"
REPORT = "report.json"
HELD_OUT = "held-out.safetensors"
CURVES = "curves.png"
CONFUSION = "confusion.png"
RELIABILITY = "reliability.png"
MISTAKES = "mistakes.png"
PLOTS = (CURVES, CONFUSION, RELIABILITY, MISTAKES)
OWN = (checkpoint.FILE, WEIGHTS, HISTORY, REPORT, HELD_OUT, *PLOTS)
_LOCK = ".lock"
_TEACHER = "teacher-"


# The fields of a report that other commands read.
_REPORTED = {
    "network",
    "recipe_name",
    "recipe",
    "class_names",
    "epochs",
    "seconds",
    "held_out",
    "test",
}


class RunError(Exception):
    """A run's folder is not in the state that a command needs."""


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """Keep other processes from training in a folder; make the folder if it is missing.

    The operating system drops the lock when the process ends, so a crash leaves none behind. If no
    epoch was finished inside the block, what it left is deleted again, and so are the folders that
    were made for it.

    Raises:
        OutputError: another process is training there.
        OSError: the folder cannot be made.
    """
    made = [folder for folder in (run_dir, *run_dir.parents) if not folder.exists()]
    run_dir.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run_dir / _LOCK, timeout=0)
    with suppress(OSError):  # some file systems have no locks
        try:
            lock.acquire()
        except Timeout:
            raise OutputError(
                f"Another process is training in {run_dir}; choose another --out."
            ) from None
    try:
        yield
    finally:
        lock.release()
        if not any((run_dir / name).exists() for name in OWN):
            _remove(run_dir, made)


def _remove(run_dir: Path, made: list[Path]) -> None:
    """Delete what a start without a finished epoch leaves; of folders, only empty new ones."""
    for path in (run_dir / _LOCK, *all_teacher_scores(run_dir)):
        with suppress(OSError):  # Windows keeps an open file
            path.unlink()
    for folder in made:
        with suppress(OSError):  # it holds something
            folder.rmdir()


def teacher_scores(run_dir: Path, view: int) -> Path:
    """Return the file that keeps a teacher's scores of a view."""
    return run_dir / f"{_TEACHER}{view}.npy"


def all_teacher_scores(run_dir: Path) -> list[Path]:
    """Return the files with a teacher's scores that exist."""
    found = run_dir.glob(f"{_TEACHER}*.npy")
    return [path for path in found if path.stem.removeprefix(_TEACHER).isdecimal()]


def clear(run_dir: Path) -> None:
    """Delete a run, except for its teacher's scores, which every new run deletes itself.

    The checkpoint goes last: if this is stopped, the folder still holds a run.
    """
    for name in reversed(OWN):
        (run_dir / name).unlink(missing_ok=True)


def read_report(run_dir: Path) -> dict[str, Any]:
    """Return the report of a finished run.

    Raises:
        RunError: there is none, or no run wrote it.
    """
    report = _read_json(run_dir, REPORT)
    if not isinstance(report, dict) or not report.keys() >= _REPORTED:
        raise RunError(f"{run_dir} holds no finished run ({REPORT} is not of one); train it first.")
    return report


def read_history(run_dir: Path) -> list[dict[str, float]]:
    """Return the history of a finished run, a row an epoch.

    Raises:
        RunError: there is none, or it is no JSON.
    """
    history: list[dict[str, float]] = _read_json(run_dir, HISTORY)
    return history


def _read_json(run_dir: Path, name: str) -> Any:
    try:
        return json.loads((run_dir / name).read_text())
    except (OSError, ValueError) as exc:
        raise RunError(
            f"{run_dir} holds no finished run ({name}: {reason(exc)}); train it first."
        ) from exc


def write_json(path: Path, value: Any) -> None:
    """Write JSON types to a file, atomically.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")
