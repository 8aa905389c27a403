"""What a job is: its options, what its results depend on, and what it says when it is stopped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.errors import ModelError
from edge_runtime.inference.loading import require_unchanged
from edge_runtime.output.formats import RESUMABLE, Format
from edge_runtime.support.progress import Progress

if TYPE_CHECKING:
    from edge_runtime.inference.model import Model


class Job(NamedTuple):
    """What to do with the sources.

    Attributes:
        format: how results are written.
        out: the file for the results; None is standard output. On a cluster, a folder or its URI.
        resume: whether the results of a previous run in `out` are kept.
        overwrite: whether an `out` that exists is replaced.
        top_k: how many classes an image gets.
        threshold: minimum score for a class to be listed.
        max_frames: stop a camera or video after this many frames.
        duration_s: stop a camera or video after this many seconds.
        every: classify every Nth frame of a camera or video.
        ray: whether a cluster does the job, see `edge_runtime.jobs.ray`.
    """

    format: Format = "text"
    out: str | None = None
    resume: bool = False
    overwrite: bool = False
    top_k: int = 1
    threshold: float = 0.0
    max_frames: int | None = None
    duration_s: float | None = None
    every: int = 1
    ray: bool = False


def model_files(model: Model) -> dict[str, bytes]:
    """Return the bytes of the model files, by the names of their arguments of `Model`.

    Raises:
        ModelError: a file has changed since it was opened, or cannot be read.
    """
    files = {}
    for name, scorer in model.scorers().items():
        path = scorer.path
        try:
            files[name] = path.read_bytes()
        except OSError as exc:
            raise ModelError(f"{path} cannot be read ({exc.strerror}); put it back.") from exc
        require_unchanged(path, scorer.stamp)
    return files


def dependencies(model: Model, files: Mapping[str, bytes], job: Job) -> dict[str, Any]:
    """Return everything besides the images that results depend on, as JSON types.

    Args:
        files: from `model_files`.
    """
    from hashlib import sha256

    values = {
        "second_opinion": None,
        "unsure_below": None,
        **model.arguments(),
        **{name: sha256(content).hexdigest() for name, content in files.items()},
        "labels": model.labels,
        "top_k": job.top_k,
        "threshold": job.threshold,
        "format": job.format,
    }
    del values["allow_urls"]  # it decides what is read, not what comes out
    # The thresholds are what comes of these, and of what the model's files say.
    del values["accept_all"], values["max_error"]
    accepted = model.acceptance
    values["thresholds"] = None if accepted is None else [accepted.threshold, *accepted.leads]
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def second_names(model: Model) -> tuple[str | None, str | None]:
    """Return the second model's name, and that of both in results; None if there is no second."""
    if model.second is None:
        return None, None
    return model.second.model.name, model.second.name


def stopped_message(job: Job, progress: Progress) -> str:
    """Return the closing line of a stopped job."""
    stopped = f"stopped: {progress.summary()}"
    if job.out is None:
        return stopped
    stopped += f"; the results are in {job.out}.part"
    if job.format not in RESUMABLE:
        return f"{stopped}."
    return f"{stopped}. Run the same command with --resume to continue."
