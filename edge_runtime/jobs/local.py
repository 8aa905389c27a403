"""A job on this machine: from sources to written results, with progress and a summary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeRuntimeError, OutputError
from edge_runtime.inputs.folders import LeftOut
from edge_runtime.inputs.listing import expand
from edge_runtime.inputs.names import STANDARD_INPUT, Source, gives_the_same_again, is_stream
from edge_runtime.inputs.urls import shown
from edge_runtime.jobs.job import Job, dependencies, stopped_message
from edge_runtime.jobs.pool import classify_files
from edge_runtime.output.file import Output
from edge_runtime.output.formats import formatter
from edge_runtime.results import Result
from edge_runtime.support.console import INTERRUPTED, complain
from edge_runtime.support.files import target
from edge_runtime.support.progress import Progress, terminal

if TYPE_CHECKING:
    from edge_runtime.inference.model import Model

_MANY = 16  # images that make a closing summary worth reading


def run(model: Model, names: list[str], job: Job) -> int:
    """Classify the sources, write the results, and return the exit code.

    Args:
        names: what the user named.

    Raises:
        OSError: the results cannot be written, although the output could be opened.
        OutputError: the output cannot be opened, or a name on standard input is that of the output.
        ResumeError: the previous run's results cannot be kept.
    """
    if job.out is not None:
        import signal

        signal.signal(signal.SIGTERM, signal.default_int_handler)  # keep what was written
    colours = job.out is None and job.format == "text" and sys.stdout and sys.stdout.isatty()
    lines = formatter(job.format, model.placement.delegate, colours=bool(colours))
    streams = cache(is_stream)  # it may have to ask a server
    left_out = LeftOut()
    with _output(model, names, job, streams) as output:
        total = _total(names, output.done, streams) if terminal() else None
        progress = Progress(total, terminal())
        interrupted = False
        try:
            for source, result in _results(model, names, job, output, streams, progress, left_out):
                if result.error is not None:
                    progress.clear()
                    complain(str(result.error))
                if job.out is None:
                    progress.clear()
                output.write(lines(shown(source), result.at_least(job.threshold)))
                progress.count(1, failed=int(result.error is not None))
        except KeyboardInterrupt:
            interrupted = True
        progress.clear()
        if interrupted:
            output.keep()
            complain(stopped_message(job._replace(out=output.name), progress))
            return INTERRUPTED
        output.finish()
    if left_out.files:
        complain(str(left_out))
    if job.out or terminal() or progress.classified + progress.failed >= _MANY:
        kept = f" ({len(output.done):,} kept)" if output.done else ""
        complain(progress.summary() + kept)
    return 1 if progress.failed else 0


def _output(model: Model, names: list[str], job: Job, streams: Callable[[str], bool]) -> Output:
    if job.out is None:
        return Output(None, job.format, {})
    made_with = dependencies(model, model.path.read_bytes(), job)
    again = {shown(n) for n in names if job.resume and gives_the_same_again(n) and streams(n)}
    try:
        return Output(
            target(job.out),
            job.format,
            made_with,
            resume=job.resume,
            overwrite=job.overwrite,
            again=again,
        )
    except OSError as exc:
        raise OutputError(f"--out {job.out} cannot be written: {exc.strerror}.") from exc


def _results(
    model: Model,
    names: list[str],
    job: Job,
    output: Output,
    streams: Callable[[str], bool],
    progress: Progress,
    left_out: LeftOut,
) -> Iterator[tuple[str, Result]]:
    images: list[str] = []
    for name in names:
        if not streams(name):
            images.append(name)
            continue
        yield from _images(model, images, job, output, left_out)
        images = []
        yield from _frames(model, name, job, progress)
    yield from _images(model, images, job, output, left_out)


def _images(
    model: Model, names: list[str], job: Job, output: Output, left_out: LeftOut
) -> Iterator[tuple[str, Result]]:
    sources: Iterable[Source] = expand(names, left_out)
    if STANDARD_INPUT in names:  # its names could not be checked before
        sources = map(output.require_other, sources)
    if output.done:
        sources = (
            s for s in sources if s.content is not None or hash(shown(s.name)) not in output.done
        )
    yield from classify_files(model, sources, top_k=job.top_k)


def _frames(model: Model, name: str, job: Job, progress: Progress) -> Iterator[tuple[str, Result]]:
    from edge_runtime.jobs.stream import classify_stream

    def report(sentence: str) -> None:
        progress.clear()
        complain(sentence)

    try:
        for frame in classify_stream(
            model,
            name,
            top_k=job.top_k,
            max_frames=job.max_frames,
            duration_s=job.duration_s,
            every=job.every,
            report=report,
        ):
            yield name, frame
    except EdgeRuntimeError as exc:
        yield name, Result(error=exc)


def _total(names: list[str], done: set[int], streams: Callable[[str], bool]) -> int | None:
    """Count the images for the progress bar, before the first one is opened."""
    if STANDARD_INPUT in names or any(map(streams, names)):
        return None
    return sum(1 for source in expand(names) if hash(shown(source.name)) not in done)
