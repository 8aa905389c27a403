"""The work of the command: from sources to written results, with progress and a summary."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inputs.listing import expand
from edge_runtime.inputs.names import STANDARD_INPUT, Source, gives_the_same_again, is_stream
from edge_runtime.jobs.job import Job, decisive, how_to_go_on
from edge_runtime.jobs.pool import classify_files
from edge_runtime.output.formats import Output, formatter, record
from edge_runtime.support.console import INTERRUPTED, complain
from edge_runtime.support.files import target
from edge_runtime.support.progress import Progress, terminal

if TYPE_CHECKING:
    from edge_runtime.classifier import Classifier, Prediction
    from edge_runtime.jobs.stream import Frame

    Result = list[Prediction] | EdgeRuntimeError

_MANY = 16  # images that make a closing summary worth reading


def run(classifier: Classifier, names: list[str], job: Job) -> int:
    """Classify what the names stand for, write the results, and return the exit code.

    Raises:
        OSError: the results cannot be written.
    """
    if job.out is not None:
        import signal

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was written is to be kept
    colours = job.out is None and job.kind == "text" and sys.stdout and sys.stdout.isatty()
    lines = formatter(job.kind, record(classifier), colours=bool(colours))
    out = None
    if job.out is not None:
        out = target(job.out)
        if os.path.islink(job.out):  # noqa: PTH114
            job = job._replace(out=str(out))  # what lies beside it is told of by its name
    made_with = decisive(classifier, classifier.path.read_bytes(), job) if out else {}
    streams = cache(is_stream)  # a server may have to be asked
    again = {n for n in names if job.resume and gives_the_same_again(n) and streams(n)}
    output = Output(out, job.kind, made_with, resume=job.resume, again=again)
    total = _total(names, output.done, streams) if terminal() else None
    progress = Progress(total, terminal())
    interrupted = False
    try:
        done = output.done
        for source, result, frame in _results(classifier, names, job, done, streams, progress):
            if isinstance(result, EdgeRuntimeError):
                progress.clear()
                complain(str(result))
            else:
                result = [p for p in result if p.score >= job.threshold]
            if job.out is None:
                progress.clear()
            output.write(lines(source, result, frame))
            progress.count(1, failed=int(isinstance(result, EdgeRuntimeError)))
    except KeyboardInterrupt:
        interrupted = True
    progress.clear()
    if interrupted:
        output.keep()
        complain(how_to_go_on(job, progress))
        return INTERRUPTED
    output.finish()
    if job.out or terminal() or progress.classified + progress.failed >= _MANY:
        kept = f" ({len(output.done):,} kept)" if output.done else ""
        complain(progress.summary() + kept)
    return 1 if progress.failed else 0


def _results(
    classifier: Classifier,
    names: list[str],
    job: Job,
    done: set[int],
    streams: Callable[[str], bool],
    progress: Progress,
) -> Iterator[tuple[str, Result, Frame | None]]:
    images: list[str] = []
    for name in names:
        if not streams(name):
            images.append(name)
            continue
        yield from _images(classifier, images, job, done)
        images = []
        yield from _frames(classifier, name, job, progress)
    yield from _images(classifier, images, job, done)


def _images(
    classifier: Classifier, names: list[str], job: Job, done: set[int]
) -> Iterator[tuple[str, Result, None]]:
    sources: Iterable[Source] = expand(names)
    if done:
        sources = (s for s in sources if s.content is not None or hash(s.name) not in done)
    for source, result in classify_files(classifier, sources, top_k=job.top_k):
        yield source, result, None


def _frames(
    classifier: Classifier, name: str, job: Job, progress: Progress
) -> Iterator[tuple[str, Result, Frame | None]]:
    from edge_runtime.jobs.stream import classify_stream

    def report(sentence: str) -> None:
        progress.clear()
        complain(sentence)

    try:
        for frame in classify_stream(
            classifier,
            name,
            top_k=job.top_k,
            max_frames=job.max_frames,
            duration_s=job.duration_s,
            every=job.every,
            report=report,
        ):
            yield name, frame.predictions, frame
    except EdgeRuntimeError as exc:
        yield name, exc, None


def _total(names: list[str], done: set[int], streams: Callable[[str], bool]) -> int | None:
    """Count the images before the first is opened, for the bar's sake."""
    if STANDARD_INPUT in names or any(map(streams, names)):
        return None
    return sum(1 for source in expand(names) if hash(source.name) not in done)
