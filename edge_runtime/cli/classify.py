"""The work of `edge-classify` once its options are known.

Exit codes: 0 if everything was classified, 1 if an input failed, 2 for wrong usage or a cluster
that cannot be used, 130 if stopped.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge_runtime.errors import ClusterError, EdgeRuntimeError, ResumeError
from edge_runtime.inference.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from edge_runtime.jobs.job import Job


def classify(
    sources: list[str],
    job: Job | None = None,
    *,
    model: str = DEFAULT_MODEL,
    delegate: str = "xnnpack",
    threads: int | None = None,
    gpu_precision: str = "fp32",
    labels: Sequence[str] | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    fit: str | None = None,
) -> int:
    """Classify what the sources stand for, write the results, and return the exit code.

    Args:
        job: what to do with them, by default a line of text each.
        model: see `Classifier`, as for what follows.
        threads: None takes all cores where there may be many images. On a cluster, cores in all.

    Raises:
        OSError: the results cannot be written.
    """
    from edge_runtime.classifier import Classifier
    from edge_runtime.jobs.job import Job
    from edge_runtime.jobs.local import run
    from edge_runtime.output.formats import formatter, header
    from edge_runtime.support.console import complain

    job = job or Job()
    try:
        classifier = Classifier(
            model,
            delegate=delegate,
            threads=1 if job.ray else threads or _threads(sources),
            gpu_precision=gpu_precision,
            labels=labels,
            mean=mean,
            std=std,
            fit=fit,
        )
    except EdgeRuntimeError as exc:
        complain(str(exc))
        if job.out is None:
            lines = [formatter(job.kind)(source, exc, None) for source in sources]
            print(header(job.kind), *lines, sep="", end="", flush=True)
        return 1
    if classifier.reason:
        complain(f"auto chose {classifier.reason}")
    if classifier.assumptions:
        complain(f"{classifier.path}: assumed that {', that '.join(classifier.assumptions)}.")
    gc.enable()
    try:
        if not job.ray:
            return run(classifier, sources, job)
        from edge_runtime.jobs import ray as cluster

        return cluster.run(classifier, sources, job, engines=threads)
    except (ClusterError, ResumeError) as exc:
        complain(str(exc))
        return 2


def _threads(sources: list[str]) -> int:
    """Return all cores where there may be many images, else 1: threads take time to start."""
    if len(sources) < 64 and not any(map(_may_be_many, sources)):
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _may_be_many(source: str) -> bool:
    """Say whether a source may be a directory, a pattern or a file full of names.

    Names that come through a pipe are not many: with more than one process they would go out in
    chunks, and a name would wait for its chunk to fill.
    """
    if source == "-":
        return sys.stdin is not None and os.path.isfile(sys.stdin.fileno())  # noqa: PTH113
    return any(c in source for c in "*?[") or os.path.isdir(source)  # noqa: PTH112
