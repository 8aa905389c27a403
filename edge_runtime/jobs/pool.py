"""Many files at once: decoded and classified in worker processes, answered in order.

Each worker is a Python of its own with one engine on one thread. Threads would share Python's
lock, and two of them gained a quarter where two processes gained half or more. Work goes out in
chunks, and only so many that memory stays what it is, however many files there are.
"""

from __future__ import annotations

import marshal
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from io import BytesIO
from itertools import chain, islice
from operator import index
from typing import TYPE_CHECKING, Any

from edge_runtime import errors
from edge_runtime.classifier import Prediction
from edge_runtime.errors import EdgeRuntimeError, ImageError
from edge_runtime.inference.placement import CPU_DELEGATES
from edge_runtime.support.child import child_command, child_environment, child_stderr

if TYPE_CHECKING:
    from edge_runtime.classifier import Classifier
    from edge_runtime.inputs.names import Source

    Result = list[Prediction] | EdgeRuntimeError
    Question = str | tuple[str, bytes]  # a file, or an image's name and content
    Answer = list[tuple[int, float]] | tuple[str, str]

WORTHWHILE = 64  # fewer files are done before a second Python has started
_CHUNK = 16  # files
_AHEAD = 4  # chunks that wait at each worker, so that it never waits itself
# Were more on its way to a worker than a pipe holds, while that worker waits to be read, each would
# wait for the other. Linux tells how much that is: 64 KiB, or 8 for a user with many pipes.
_LEAST_PIPE_BYTES = 4096


def classify_files(
    classifier: Classifier, sources: Iterable[Source], *, top_k: int = 1
) -> Iterator[tuple[str, Result]]:
    """Yield every image with its predictions, or with the reason why there are none.

    Args:
        classifier: says by `threads` how many processes there are to be; with one, or few images,
            all happens in this one.
        sources: as many are looked at as are under way.

    Raises:
        ValueError: `top_k` is not positive.
    """
    top_k = index(top_k)
    if top_k < 1:
        raise ValueError(f"Expected `top_k` to be at least 1, but got {top_k!r}.")
    sources = iter(sources)
    # A GPU is one, and more processes would but queue for it.
    on_cpu = classifier.placement.delegate in CPU_DELEGATES
    first = list(islice(sources, WORTHWHILE if on_cpu and classifier.threads > 1 else 0))
    if len(first) < WORTHWHILE:
        for source in chain(first, sources):
            yield source.name, _here(classifier, source, top_k)
        return
    try:
        pool = Pool(
            classifier.arguments(), classifier.labels, processes=classifier.threads, top_k=top_k
        )
    except OSError:  # no process can be started here
        for source in chain(first, sources):
            yield source.name, _here(classifier, source, top_k)
        return
    try:
        yield from pool.results(chain(first, sources))
    finally:
        pool.close()


class Pool:
    """Worker processes that keep their model from one batch to the next."""

    def __init__(
        self, arguments: dict[str, Any], labels: tuple[str, ...], *, processes: int, top_k: int
    ) -> None:
        """Start the first of them; others follow as there is work for them.

        Args:
            arguments: from `Classifier.arguments`; that they make a classifier is to be known.
            labels: the classifier's.
            processes: how many there are to be at most.
            top_k: how many classes an image gets.

        Raises:
            OSError: not even one can be started.
        """
        self._labels = labels
        self._start = partial(_Worker, arguments, top_k)
        self._processes = processes
        self._workers = [self._start()]

    def results(self, sources: Iterator[Source]) -> Iterator[tuple[str, Result]]:
        """Yield the sources' results in order, as `classify_files`; go through all of them."""
        # Chunks go round the workers, and come back so.
        under_way: deque[tuple[_Worker, list[Source]]] = deque()
        chunks = _chunks(sources)
        turn = 0
        chunk = next(chunks, None)
        while chunk or under_way:
            if chunk and turn == len(self._workers) < self._processes:
                try:
                    self._workers.append(self._start())
                except OSError:  # of files or memory there are no more
                    self._processes = len(self._workers)
            worker = self._workers[turn % len(self._workers)]
            if chunk and worker.has_room_for(questions := _questions(chunk)):
                worker.send(questions)
                under_way.append((worker, chunk))
                turn += 1
                chunk = next(chunks, None)
                continue
            worker, oldest = under_way.popleft()
            answers = iter(worker.receive())
            for source in oldest:
                yield source.name, source.error or _result(next(answers), self._labels)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.stop()


def _here(classifier: Classifier, source: Source, top_k: int) -> Result:
    if source.error is not None:
        return source.error
    image = source.name if source.content is None else BytesIO(source.content)
    try:
        return classifier.classify(image, top_k=top_k)
    except EdgeRuntimeError as exc:
        return exc


def _questions(chunk: list[Source]) -> list[Question]:
    return [
        source.name if source.content is None else (source.name, source.content)
        for source in chunk
        if source.error is None
    ]


def _result(answer: Answer, labels: tuple[str, ...]) -> Result:
    if isinstance(answer, tuple):
        kind, message = answer
        error: EdgeRuntimeError = getattr(errors, kind)(message)
        return error
    return [Prediction(labels[index], index, score) for index, score in answer]


class _Worker:
    """A worker process, and the chunks that wait there; a dead one is replaced."""

    def __init__(self, arguments: dict[str, Any], top_k: int) -> None:
        import json

        # Not an argument of the process, of which Linux takes 128 KiB: labels may be many.
        self._told = json.dumps({**arguments, "top_k": top_k})
        self._command = child_command("edge_runtime.jobs.worker")
        self._waiting: deque[list[Question]] = deque()
        self._start()

    def has_room_for(self, chunk: list[Question]) -> bool:
        size = sum(len(marshal.dumps(questions)) for questions in (*self._waiting, chunk))
        return not self._waiting or (len(self._waiting) < _AHEAD and size <= self._pipe_bytes // 2)

    def send(self, chunk: list[Question]) -> None:
        self._waiting.append(chunk)
        self._write(chunk)

    def receive(self) -> list[Answer]:
        """Return the answers to the chunk that waits longest."""
        chunk = self._waiting.popleft()
        answers = self._read()
        if answers is None:  # it has died: find out on which file, in a fresh one
            answers = [self._alone(question) for question in chunk]
            for waiting in self._waiting:
                self._write(waiting)
        return answers

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                try:
                    pipe.close()
                except OSError:  # what it did not read is of no use now
                    continue

    def _start(self) -> None:
        import subprocess  # not for a single picture's sake

        self._process = subprocess.Popen(
            self._command,
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=child_stderr(),
        )
        self._pipe_bytes = _pipe_bytes(self._process.stdin)
        self._write(self._told)

    def _alone(self, question: Question) -> Answer:
        if self._process.poll() is not None:
            self.stop()
            self._start()
        self._write([question])
        answers = self._read()
        if answers is None:
            self.stop()
            self._start()
            name = question if isinstance(question, str) else question[0]
            return ImageError.__name__, f"{name} makes the decoder crash; save the image again."
        return answers[0]

    def _write(self, message: str | list[Question]) -> None:
        if self._process.stdin:
            try:
                marshal.dump(message, self._process.stdin)
                self._process.stdin.flush()
            except BrokenPipeError:
                return  # it has died, which the next reading says

    def _read(self) -> list[Answer] | None:
        if self._process.stdout:
            try:
                answers: list[Answer] = marshal.load(self._process.stdout)
                return answers
            except (EOFError, ValueError, TypeError):
                self._process.wait()
        return None


def _pipe_bytes(pipe: Any) -> int:
    """Return how many bytes a pipe holds that nobody reads."""
    try:
        import fcntl

        return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
    except (ImportError, AttributeError, OSError):  # not on Linux
        return _LEAST_PIPE_BYTES


def _chunks(sources: Iterator[Source]) -> Iterator[list[Source]]:
    while chunk := list(islice(sources, _CHUNK)):
        yield chunk
