"""The work of `edge-classify` once its options are known.

Exit codes: 0 if everything was classified; 1 if an input or the model failed, or the delegate is
not available; 2 if the command line cannot be meant, the output is refused, or the cluster cannot
be used; 130 if stopped.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edge_runtime.errors import (
    ClusterError,
    EdgeRuntimeError,
    ModelError,
    OptionError,
    OutputError,
    ResumeError,
)
from edge_runtime.inference.shipped import DEFAULT_MODEL
from edge_runtime.support.console import complain

if TYPE_CHECKING:
    from edge_runtime.inference.acceptance import MaxError
    from edge_runtime.inference.model import Model
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
    scores: str = "auto",
    views: int = 1,
    accept_all: bool = False,
    max_error: MaxError | None = None,
    second_opinion: str | None = None,
    unsure_below: float | None = None,
    instead: Callable[[Model], int] | None = None,
) -> int:
    """Classify the sources, write the results, and return the exit code.

    Args:
        sources: what the user named.
        job: what to do with them; by default, print a line of text for each.
        model: as for `edge_runtime.inference.model.Model`, like the arguments that follow.
        threads: None stands for all cores if there may be many images, or for what was tuned. On a
            cluster, the largest number of actors.
        instead: what to do with the model instead of classifying the sources; returns the exit
            code.

    Raises:
        OSError: the results cannot be written.
    """
    from edge_runtime.inference.model import Model
    from edge_runtime.jobs.job import Job
    from edge_runtime.jobs.local import run

    job = job or Job()
    try:
        loaded = Model(
            model,
            delegate=delegate,
            threads=1 if job.ray else threads,
            many=_may_be_many(sources),
            gpu_precision=gpu_precision,
            labels=labels,
            mean=mean,
            std=std,
            fit=fit,
            scores=scores,
            views=views,
            allow_urls=True,
            accept_all=accept_all,
            max_error=max_error,
            second_opinion=second_opinion,
            unsure_below=unsure_below,
        )
    except EdgeRuntimeError as exc:
        complain(str(exc))
        if isinstance(exc, OptionError):
            return 2
        if job.out is None:
            _print_failures(sources, exc, job)
        return 1
    if loaded.reason:
        complain(f"auto chose {loaded.reason}")
    if loaded.acceptance is not None and loaded.acceptance.promise:
        complain(loaded.acceptance.promise)
    for each in loaded.scorers().values():
        if each.warnings:
            complain(f"{each.path}: {'; '.join(each.warnings)}.")
        if each.assumptions:
            complain(f"{each.path}: assumed that {', that '.join(each.assumptions)}.")
    gc.enable()
    try:
        if instead is not None:
            return instead(loaded)
        if not job.ray:
            return run(loaded, sources, job)
        from edge_runtime.jobs import ray

        return ray.run(loaded, sources, job, actors=threads)
    except (ClusterError, OutputError, ResumeError) as exc:
        complain(str(exc))
        return 2
    except ModelError as exc:  # the file has changed meanwhile
        complain(str(exc))
        return 1


def _print_failures(sources: list[str], error: EdgeRuntimeError, job: Job) -> None:
    """Print for each source that it has no result, because the model cannot be used."""
    from edge_runtime.inputs.urls import shown
    from edge_runtime.output.formats import formatter, header
    from edge_runtime.results import Result

    line = formatter(job.format)
    lines = [line(shown(source), Result(error=error)) for source in sources]
    print(header(job.format), *lines, sep="", end="", flush=True)


def _may_be_many(sources: list[str]) -> bool:
    """Return whether processes are worth their start."""
    return len(sources) >= 64 or any(map(_names_many, sources))


def _names_many(source: str) -> bool:
    """Return whether a source may be a directory, a pattern or a file full of names.

    Names from a pipe do not count as many: several processes would get them in chunks, and a name
    would wait until its chunk is full.
    """
    if source == "-":
        return sys.stdin is not None and os.path.isfile(sys.stdin.fileno())  # noqa: PTH113
    return any(c in source for c in "*?[") or os.path.isdir(source)  # noqa: PTH112
