"""A job on this machine: from sources to written results, with progress and a summary."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from edge_runtime.errors import EdgeRuntimeError, OutputError
from edge_runtime.inputs.listing import LeftOut, expand
from edge_runtime.inputs.names import STANDARD_INPUT, Source, gives_the_same_again, is_stream
from edge_runtime.inputs.urls import shown
from edge_runtime.jobs.files import classify_files
from edge_runtime.jobs.job import Job, dependencies, model_files, second_names, stopped_message
from edge_runtime.output.formats import formatter
from edge_runtime.output.standard import StandardOutput
from edge_runtime.results import Result
from edge_runtime.support.console import INTERRUPTED, complain
from edge_runtime.support.progress import Progress, terminal

if TYPE_CHECKING:
    from edge_runtime.inference.model import Model
    from edge_runtime.output.file import Output

_MANY = 16  # images that make a closing summary worth reading


def run(model: Model, names: list[str], job: Job) -> int:
    """Classify the sources, write the results, and return the exit code.

    Args:
        names: what the user named.

    Raises:
        ModelError: with `out`, the model file has changed since it was opened.
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
    with _output(model, names, job, streams) as output:
        total = _total(names, output.done, streams) if terminal() else None
        second, both = second_names(model)
        progress = Progress(total, terminal(), second=second)
        work = _Run(model, job, output, progress, streams)
        interrupted = False
        try:
            for source, result in work.results(names):
                if result.error is not None:
                    progress.clear()
                    complain(str(result.error))
                if job.out is None:
                    progress.clear()
                output.write(lines(shown(source), result.at_least(job.threshold)))
                failed, asked = result.error is not None, result.model == both
                progress.count(1, failed=int(failed), asked=int(asked))
        except KeyboardInterrupt:
            interrupted = True
        progress.clear()
        if interrupted:
            output.keep()
            complain(stopped_message(job._replace(out=output.name or None), progress))
            return INTERRUPTED
        output.finish()
    if work.left_out.files:
        complain(str(work.left_out))
    if job.out or terminal() or progress.classified + progress.failed >= _MANY:
        kept = f" ({len(output.done):,} kept)" if output.done else ""
        complain(progress.summary() + kept)
    return 1 if progress.failed else 0


def _output(
    model: Model, names: list[str], job: Job, streams: Callable[[str], bool]
) -> Output | StandardOutput:
    if job.out is None:
        return StandardOutput(job.format)
    from edge_runtime.output.file import Output
    from edge_runtime.support.files import target

    made_with = dependencies(model, model_files(model), job)
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


class _Run:
    """The results of all sources, in order.

    Attributes:
        left_out: counts the files in folders that are no images.
    """

    def __init__(
        self,
        model: Model,
        job: Job,
        output: Output | StandardOutput,
        progress: Progress,
        streams: Callable[[str], bool],
    ) -> None:
        self._model, self._job, self._output = model, job, output
        self._progress, self._streams = progress, streams
        self.left_out = LeftOut()

    def results(self, names: list[str]) -> Iterator[tuple[str, Result]]:
        """Yield the name and the result of each image and frame that the names stand for."""
        images: list[str] = []
        for name in names:
            if not self._streams(name):
                images.append(name)
                continue
            yield from self._images(images)
            images = []
            yield from self._frames(name)
        yield from self._images(images)

    def _images(self, names: list[str]) -> Iterator[tuple[str, Result]]:
        sources: Iterable[Source] = expand(names, self.left_out)
        if STANDARD_INPUT in names:  # its names could not be checked before
            sources = map(self._output.require_other, sources)
        done = self._output.done
        if done:
            sources = (
                s for s in sources if s.content is not None or hash(shown(s.name)) not in done
            )
        yield from classify_files(self._model, sources, top_k=self._job.top_k)

    def _frames(self, name: str) -> Iterator[tuple[str, Result]]:
        from edge_runtime.jobs.stream import classify_stream

        try:
            for frame in classify_stream(
                self._model,
                name,
                top_k=self._job.top_k,
                max_frames=self._job.max_frames,
                duration_s=self._job.duration_s,
                every=self._job.every,
                report=self._report,
            ):
                yield name, frame
        except EdgeRuntimeError as exc:
            yield name, Result(error=exc)

    def _report(self, sentence: str) -> None:
        self._progress.clear()
        complain(sentence)


def _total(names: list[str], done: set[int], streams: Callable[[str], bool]) -> int | None:
    """Count the images for the progress bar, before the first one is opened."""
    if STANDARD_INPUT in names or any(map(streams, names)):
        return None
    return sum(1 for source in expand(names) if hash(shown(source.name)) not in done)
