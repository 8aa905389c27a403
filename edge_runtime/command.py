"""The entry point of `edge-classify`, and its work once the options are known.

Results go to stdout and everything else to stderr. Exit codes: 0 all classified, 1 some input
failed, 2 wrong usage, or no cluster where one was asked for, 130 stopped.

Typer, which reads the options, takes a sixth of the time that one image takes from start to end.
This file does without: `edge_runtime.cli`, where the options are, is imported when there are any.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, NoReturn

from edge_runtime import native_log
from edge_runtime.errors import ClusterError, EdgeRuntimeError, ResumeError
from edge_runtime.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from edge_runtime.job import Job


def main() -> NoReturn:
    """Run the command; the entry point of the console script."""
    gc.disable()  # until the model is loaded: imports allocate much and leave no garbage
    run_to_end("edge-classify", lambda: _run(sys.argv[1:]))


def run_to_end(program: str, work: Callable[[], int]) -> NoReturn:
    """Run a command, and end the process with its exit code.

    Args:
        program: what it is called.
        work: returns the exit code, or raises SystemExit.
    """
    native_log.own_process = True
    # Its thread pool costs 30 to 50 ms at start, and numpy does no linear algebra here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for stream in (sys.stdout, sys.stderr):  # a file name may be no valid UTF-8
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            code = work()
        except SystemExit as exc:  # how every run of a Typer application ends
            code = int(exc.code or 0)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        code = 130
    except OSError as exc:  # a full disk, say; inputs that cannot be read never end up here
        code = 1
        if exc.errno != errno.EPIPE:  # of `| head`, which has read enough
            where = f"to {exc.filename} " if exc.filename else ""
            with suppress(OSError):
                print(
                    f"{program}: the results could not be written {where}({exc.strerror}).",
                    file=sys.stderr,
                )
    # All is written, and taking the interpreter and the model down piece by piece would cost as
    # much again as a tenth of the run.
    os._exit(code)


def _run(arguments: list[str]) -> int:
    if arguments and not any(argument.startswith("-") for argument in arguments):
        return classify(arguments)
    from edge_runtime.cli import app

    code: int = app()
    return code


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
    from edge_runtime.job import Job, run
    from edge_runtime.output import complain, formatter, header

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
        from edge_runtime import cluster

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
