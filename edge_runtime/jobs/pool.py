"""Many images at once: worker processes decode and classify them, and results keep their order.

Each worker is a Python of its own with one model on one thread. Threads would share Python's lock:
two of them gained a quarter, two processes gained half or more. Work goes out in chunks, and only
a few of them at a time, so that memory stays constant however many images there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.errors import ImageError
from edge_runtime.inputs.urls import shown
from edge_runtime.jobs import messages
from edge_runtime.jobs.copies import Copy
from edge_runtime.results import Result
from edge_runtime.support.child import child_command, child_environment, child_stderr, shielded

if TYPE_CHECKING:
    from edge_runtime.inference.model import Model
    from edge_runtime.inputs.names import Source

CHUNK = 16  # images
AHEAD = 4  # chunks that wait at each worker, so that it never waits itself
# If unread data exceeds the pipe's capacity, both sides deadlock. Linux tells the capacity: 64 KiB,
# or 8 KiB for a user with many pipes.
_LEAST_PIPE_BYTES = 4096


class Pool:
    """Worker processes that keep their model from one batch to the next."""

    def __init__(self, model: Model, *, processes: int, top_k: int) -> None:
        """Start the first worker. The others start when there is work for them.

        Args:
            model: what each worker loads. It may be closed afterwards.
            processes: the largest number of workers.
            top_k: how many classes an image gets.

        Raises:
            OSError: not even one process can be started.
        """
        self._start = partial(_Worker, {**Copy.of(model)._asdict(), "top_k": top_k}, model.labels)
        self._processes = processes
        self._workers = [self._start()]

    def results(
        self, sources: Iterator[Source], *, processes: int | None = None
    ) -> Iterator[tuple[str, Result]]:
        """Yield the name and the result of every image, in order. Read the iterator to its end.

        Args:
            sources: the images.
            processes: use only this many workers.
        """
        most = min(self._processes, processes or self._processes)
        # Chunks go round the workers, so the oldest one is always the next to come back.
        under_way: deque[tuple[_Worker, _Chunk]] = deque()
        chunks = _chunks(sources)
        turn = 0
        chunk = next(chunks, None)
        while chunk or under_way:
            if chunk and turn == len(self._workers) < most:
                try:
                    self._workers.append(self._start())
                except OSError:  # the system is out of files or memory
                    most = self._processes = len(self._workers)
            worker = self._workers[turn % min(len(self._workers), most)]
            if chunk and worker.send(chunk):
                under_way.append((worker, chunk))
                turn += 1
                chunk = next(chunks, None)
                continue
            worker, oldest = under_way.popleft()
            results = iter(worker.receive())
            for source in oldest.sources:
                yield source.name, Result(error=source.error) if source.error else next(results)

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.stop()


class _Chunk(NamedTuple):
    """Images that go to a worker together.

    Attributes:
        sources: all of them.
        asked: those that are images, and whose results the worker is asked for.
        message: what asks for them.
    """

    sources: list[Source]
    asked: list[Source]
    message: bytes


class _Worker:
    """A worker process and the chunks that wait there. A process that dies is replaced."""

    def __init__(self, setup: dict[str, Any], labels: tuple[str, ...]) -> None:
        # The setup goes through the pipe, because labels may exceed the 128 KiB that Linux
        # allows for an argument of a process.
        self._setup = messages.dump(setup)
        self._labels = labels
        self._command = child_command("edge_runtime.jobs.worker")
        self._waiting: deque[_Chunk] = deque()
        self._start()

    def send(self, chunk: _Chunk) -> bool:
        """Send a chunk unless the worker has enough to do, and say whether it was sent."""
        size = len(chunk.message) + sum(len(waiting.message) for waiting in self._waiting)
        if self._waiting and (len(self._waiting) >= AHEAD or size > self._pipe_bytes // 2):
            return False
        self._waiting.append(chunk)
        self._write(chunk.message)
        return True

    def receive(self) -> list[Result]:
        """Return the results of the chunk that has waited longest."""
        chunk = self._waiting.popleft()
        results = self._read()
        if results is None:  # it has died: find out on which image, in a new one
            results = [self._alone(source) for source in chunk.asked]
            for waiting in self._waiting:
                self._write(waiting.message)
        return results

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
        import subprocess  # a single image needs none

        with shielded():  # this process decides what Ctrl-C ends
            self._process = subprocess.Popen(
                self._command,
                env=child_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=child_stderr(),
            )
        self._pipe_bytes = _pipe_bytes(self._process.stdin)
        self._write(self._setup)

    def _alone(self, source: Source) -> Result:
        if self._process.poll() is not None:
            self.stop()
            self._start()
        self._write(messages.dump_images([source]))
        results = self._read()
        if results is None:
            self.stop()
            self._start()
            error = ImageError(
                f"{shown(source.name)} makes the decoder crash; save the image again."
            )
            return Result(error=error)
        return results[0]

    def _write(self, message: bytes) -> None:
        if self._process.stdin:
            try:
                self._process.stdin.write(message)
                self._process.stdin.flush()
            except BrokenPipeError:
                return  # it has died; the next reading finds out

    def _read(self) -> list[Result] | None:
        results = None
        if self._process.stdout:
            results = messages.load_results(self._process.stdout, self._labels)
        if results is None:
            self._process.wait()
        return results


def _pipe_bytes(pipe: Any) -> int:
    """Return how many unread bytes a pipe holds."""
    try:
        import fcntl

        return fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ)
    except (ImportError, AttributeError, OSError):  # not on Linux
        return _LEAST_PIPE_BYTES


def _chunks(sources: Iterator[Source]) -> Iterator[_Chunk]:
    while piece := list(islice(sources, CHUNK)):
        asked = [source for source in piece if source.error is None]
        yield _Chunk(piece, asked, messages.dump_images(asked))
