"""The work of the command on a Ray cluster, extra `ray`: `edge_runtime.jobs.local` for many machines.

One task lists the images and cuts the list into parts; actors, one a core, classify each part and
write it. A part is all that Ray sees: it places, retries and spills parts, and pictures do not
pass through it. Each actor has one worker process of `edge_runtime.jobs.pool`, which keeps its model,
and whose crash over a damaged picture is not the actor's.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.errors import ClusterError, EdgeRuntimeError
from edge_runtime.inputs.names import Source
from edge_runtime.jobs.job import Job, decisive, how_to_go_on
from edge_runtime.jobs.pool import Pool
from edge_runtime.output.formats import record
from edge_runtime.support import native_log
from edge_runtime.support.console import INTERRUPTED, complain
from edge_runtime.support.progress import Progress, terminal

try:
    # Read when Ray is imported. Its C++ side writes to the terminal, and retries for minutes.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import pyarrow as pa
    import ray
    import ray.data
    from ray.data.block import BlockMetadata

    from edge_runtime.inputs.remote import fetched, listed
    from edge_runtime.output.parts import Parts
except ImportError as exc:
    raise ClusterError("--ray needs Ray; pip install 'edge-classify[ray]'.") from exc

if TYPE_CHECKING:
    from edge_runtime.classifier import Classifier, Prediction

    Result = list[Prediction] | EdgeRuntimeError

_CONNECT_TIMEOUT_S = 10.0


class Part(NamedTuple):
    """A piece of the list of images: what an actor does at a time."""

    number: int
    sources: list[Source]

    @property
    def digest(self) -> str:
        """A hash of its sources' names: where files came or went, parts change their names."""
        names = "\n".join(source.name for source in self.sources)
        return sha256(names.encode(errors="surrogateescape")).hexdigest()[:16]


class Done(NamedTuple):
    """What became of a part.

    Attributes:
        name: of its file.
        images: how many it holds.
        failed: how many of them have no answer.
        kept: whether a former run wrote it.
        complaints: why images have no answer, unless a former run has said so.
    """

    name: str
    images: int
    failed: int
    kept: bool
    complaints: list[str]


def run(classifier: Classifier, names: list[str], job: Job, *, engines: int | None = None) -> int:
    """Classify what the names stand for on the cluster, and return the exit code.

    The cluster is the one that the environment variable RAY_ADDRESS names, else one is started on
    this machine.

    Args:
        classifier: what each actor is to load.
        names: files, directories, globs, http(s) URLs, and pyarrow's URIs of files and folders.
        job: with an `out`, which becomes a folder.
        engines: how many there may be; None takes one a core.

    Raises:
        ClusterError: the cluster cannot be reached, or `out` holds something else.
        OSError: the results cannot be written.
    """
    parts = Parts(str(job.out), "json" if job.kind == "json" else "parquet")
    content = classifier.path.read_bytes()
    progress = Progress(None, terminal())
    done: set[str] = set()
    kept = kept_failed = 0
    try:
        with _connected():
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # Ray has its own
            here = os.getcwd()  # noqa: PTH109
            manifest = decisive(classifier, content, job) | {"sources": names, "directory": here}
            parts.begin(manifest, resume=job.resume)
            for part in _classified(classifier, content, names, job, parts, engines):
                done.add(part.name)
                progress.clear()
                for sentence in part.complaints:
                    complain(sentence)
                if part.kept:
                    kept += part.images
                    kept_failed += part.failed
                else:
                    progress.count(part.images, failed=part.failed)
    except KeyboardInterrupt:
        progress.clear()
        complain(how_to_go_on(job, progress))
        return INTERRUPTED
    except ray.exceptions.RayError as exc:
        progress.clear()
        complain(f"The work on the cluster failed ({_reason(exc)}); --resume goes on with it.")
        return 1
    progress.clear()
    parts.finish(done)
    complain(progress.summary() + (f" ({kept:,} kept)" if kept else ""))
    return 1 if progress.failed or kept_failed else 0


@contextmanager
def _connected() -> Iterator[None]:
    """Connect to the cluster, or start one, and leave it in the end."""
    # What goes wrong inside Ray it prints on standard output.
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        try:
            _connect()
            yield
        finally:
            with native_log.dropped():
                ray.shutdown()


def _connect() -> None:
    address = os.environ.get("RAY_ADDRESS") or "local"
    if address.startswith("ray://"):
        raise ClusterError(
            f"RAY_ADDRESS is {address}, of Ray Client, which Ray Data cannot use; give the "
            f"cluster's own HOST:PORT, or submit the command with `ray job submit`."
        )
    host, _, port = address.rpartition(":")
    options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        if port.isdecimal():  # Ray itself would wait for minutes
            socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT_S).close()
        with native_log.dropped():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as exc:  # Ray raises a bare one where it is not up in time
        if address == "local":
            raise ClusterError(
                f"Ray did not start on this machine ({_reason(exc)}); try again when less else "
                f"runs here, or leave out --ray."
            ) from exc
        raise ClusterError(
            f"The Ray cluster {address} cannot be reached ({_reason(exc)}); check RAY_ADDRESS."
        ) from exc


def _classified(
    classifier: Classifier,
    content: bytes,
    names: list[str],
    job: Job,
    parts: Parts,
    engines: int | None,
) -> Iterator[Done]:
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = 1  # byte: a part is not to wait for others
    context.enable_progress_bars = False
    context.raise_original_map_exception = True
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)  # its log file has it all
    cores = int(ray.cluster_resources().get("CPU", 0))
    if not cores:
        raise ClusterError("The Ray cluster has no CPUs; add a machine that has.")
    arguments = {
        "arguments": classifier.arguments(),
        "content": content,
        "job": job,
        "parts": parts,
        "directory": os.getcwd(),  # noqa: PTH109
    }
    rows = (
        ray.data.read_datasource(_Listing(names), num_cpus=0)
        .map(
            _Actor,
            fn_constructor_kwargs=arguments,
            compute=ray.data.ActorPoolStrategy(
                min_size=1, initial_size=max(1, min(cores, engines or cores)), max_size=engines
            ),
            num_cpus=1,
        )
        .iter_rows()
    )
    for row in rows:
        yield pickle.loads(row["done"])


class _Listing(ray.data.Datasource):  # type: ignore[misc]
    """The images behind some names, cut into parts by one task that lists as it is asked."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self._names = names
        self._directory = os.getcwd()  # noqa: PTH109

    supports_distributed_reads = False  # only this machine is sure to have this directory

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(self, *_: Any, **__: Any) -> list[ray.data.ReadTask]:
        return [ray.data.ReadTask(self._blocks, BlockMetadata(None, None, None, None))]

    def _blocks(self) -> Iterator[pa.Table]:
        with suppress(OSError):
            os.chdir(self._directory)
        for part in cut(listed(self._names)):
            yield pa.table({"part": [pickle.dumps(part)]})


class _Actor:
    """Classifies parts and writes them, with one engine."""

    def __init__(
        self,
        arguments: dict[str, Any],
        content: bytes,
        job: Job,
        parts: Parts,
        directory: str,
    ) -> None:
        from edge_runtime.classifier import Classifier

        native_log.silence()
        with suppress(OSError):  # not every machine has it, and not every source needs it
            os.chdir(directory)
        arguments["model"] = _model(arguments["model"], content)
        with Classifier(**arguments) as classifier:
            self._run = record(classifier)
            self._pool = Pool(arguments, classifier.labels, processes=1, top_k=job.top_k)
        self._threshold = job.threshold
        self._resume = job.resume
        self._parts = parts

    def __call__(self, row: dict[str, bytes]) -> dict[str, bytes]:
        part: Part = pickle.loads(row["part"])
        return {"done": pickle.dumps(self._done(part))}

    def _done(self, part: Part) -> Done:
        name = self._parts.name(part.number, part.digest)
        count = self._parts.count(name) if self._resume else None
        if count and count.images == len(part.sources):
            return Done(name, *count, kept=True, complaints=[])
        results = list(self._results(part))
        complaints = [str(r) for _, r in results if isinstance(r, EdgeRuntimeError)]
        count = self._parts.write(name, results, self._run)
        return Done(name, *count, kept=False, complaints=complaints)

    def _results(self, part: Part) -> Iterator[tuple[str, Result]]:
        for source, result in self._pool.results(fetched(part.sources)):
            if isinstance(result, list):
                result = [p for p in result if p.score >= self._threshold]
            yield source, result


def cut(sources: Iterable[Source]) -> Iterator[Part]:
    """Cut the list into parts, the same list always in the same way.

    Parts grow, so that a few thousand images keep many cores busy, and a hundred million make no
    more than 7,500 files.
    """
    sources = iter(sources)
    number = 0
    while piece := list(islice(sources, min(200 * (1 + number // 50), 20_000))):
        yield Part(number, piece)
        number += 1


def _model(path: str, content: bytes) -> str:
    """Return the path of a model on this machine, which may not be the one that named it."""
    with suppress(OSError):
        if Path(path).read_bytes() == content:
            return path
    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".tflite", delete=False) as stream:
        stream.write(content)
    return stream.name


def _reason(exc: Exception) -> str:
    """Return the last line of what an actor raised, or Ray itself."""
    cause = getattr(exc, "cause", None) or exc
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    lines = str(cause).strip().splitlines()
    return lines[-1].strip() if lines else type(cause).__name__
