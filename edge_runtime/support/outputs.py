"""Which files a command may write: never one of its inputs, and none that exists unless asked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_runtime.errors import OutputError
from edge_runtime.support.files import target

Identity = tuple[int, int]  # a file's device and number, the same for all its names


def output_file(
    name: str | Path,
    *,
    subject: str = "",
    inputs: Iterable[str | Path | int] = (),
    beside: Sequence[str] = (),
    overwrite: bool = False,
    resumable: bool = False,
    resume: bool = False,
    parents: bool = False,
    trial: bool = False,
) -> Path:
    """Return the file that `--out` names if the command may write it.

    Args:
        name: the value of `--out`. A link to a file stands for the file.
        subject: what messages call the file if it is not `--out` itself.
        inputs: names or descriptors of files that the command reads.
        beside: suffixes of files that the command writes beside the output.
        overwrite: whether an existing file may be replaced.
        resumable: whether the command could continue a stopped run; for the message.
        resume: whether it does, so that existing files are kept.
        parents: whether the command makes missing folders.
        trial: make a file in the folder and delete it, to be sure before long work.

    Raises:
        OutputError: the file cannot be written, or it is an input, or it exists and neither
            `overwrite` nor `resume` is set.
    """
    subject = subject or f"--out {name}"
    try:
        path = target(name)
    except OSError as exc:
        raise OutputError(f"{subject} cannot be written: {exc.strerror}.") from exc
    if path.is_dir():
        raise OutputError(f"{subject} is a directory; name a file in it.")
    if path.exists() and not path.is_file():
        raise OutputError(f"{subject} is not a regular file; name another file.")
    _require_writable(subject, path, parents=parents, trial=trial)
    files = [path, *(path.with_name(path.name + suffix) for suffix in beside)]
    existing = identities(files)
    if existing:
        for other in inputs:
            if identity(other) in existing:
                what = "standard input" if isinstance(other, int) else str(other)
                raise OutputError(
                    f"{subject} would replace {what}, which is an input; name another file."
                )
    if overwrite or resume:
        return path
    remedies = "--overwrite to start over, or --resume to continue it"
    for file in files[1:]:
        if file.exists():
            raise OutputError(
                f"{subject}: a stopped run left {file.name}; add "
                f"{remedies if resumable else '--overwrite to start over'}."
            )
    if path.exists():
        also = ", --resume to add to it" if resumable else ""
        raise OutputError(
            f"{subject} exists; add --overwrite to replace it{also}, or name another file."
        )
    return path


def _require_writable(subject: str, path: Path, *, parents: bool, trial: bool) -> None:
    """Refuse a file whose folder is missing or read-only."""
    folder = path.parent
    while parents and not os.path.lexists(folder):
        folder = folder.parent
    problem = ""
    if not folder.is_dir():
        problem = f"{folder} is a file" if folder.exists() else "its folder does not exist"
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem = "its folder is not writable"
    elif trial:
        import tempfile  # slow to import, and `edge-classify` needs no trial

        try:
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:  # root is told of every folder that it is writable
            problem = "its folder is not writable"
    if problem:
        raise OutputError(f"{subject} cannot be written: {problem}.")


def identity(file: str | Path | int) -> Identity | None:
    """Return what identifies a file, given by its name or descriptor; None if there is none."""
    try:
        status = os.stat(file)  # noqa: PTH116 - descriptors too
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


def identities(files: Iterable[str | Path]) -> set[Identity]:
    """Return what identifies those of some files that exist."""
    return {found for file in files if (found := identity(file)) is not None}
