"""What a job is: its options, what its results depend on, and what it says when it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.output.formats import Format
from edge_runtime.support.progress import Progress

if TYPE_CHECKING:
    from edge_runtime.classifier import Classifier


class Job(NamedTuple):
    """What to do with the sources.

    Attributes:
        kind: how results are written.
        out: the file they go to; None is standard output. On a cluster a folder, or its URI.
        resume: whether a former run's answers in `out` count.
        top_k: how many classes an image gets.
        threshold: the least score that a class is shown with.
        max_frames: of a camera or video, and so are the next two; see `classify_stream`.
        duration_s: how long.
        every: which frames.
        ray: whether a cluster does it, see `edge_runtime.jobs.ray`.
    """

    kind: Format = "text"
    out: str | None = None
    resume: bool = False
    top_k: int = 1
    threshold: float = 0.0
    max_frames: int | None = None
    duration_s: float | None = None
    every: int = 1
    ray: bool = False


def decisive(classifier: Classifier, content: bytes, job: Job) -> dict[str, Any]:
    """Return all that answers depend on besides the pictures, as JSON types.

    Args:
        content: of the model file.
    """
    from hashlib import sha256

    values = {
        **classifier.arguments(),
        "model": sha256(content).hexdigest(),
        "labels": classifier.labels,
        "top_k": job.top_k,
        "threshold": job.threshold,
        "format": job.kind,
    }
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def how_to_go_on(job: Job, progress: Progress) -> str:
    """Return what a stopped job says."""
    stopped = f"stopped: {progress.summary()}"
    if job.out is None:
        return stopped
    if job.kind == "text":
        return f"{stopped}; they are in {job.out}.part."
    return f"{stopped}; they are in {job.out}.part, and the same command with --resume goes on."
