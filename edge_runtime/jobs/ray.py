"""A job on a Ray cluster, extra `ray`: `edge_runtime.jobs.local` for many machines.

One task lists the images and cuts the list into parts. Actors, one a core, classify each part and
write it. Ray sees parts only: it places, retries and spills them, and no image passes through it.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import ClusterError
from edge_runtime.inputs.urls import shown
from edge_runtime.jobs.copies import Copy
from edge_runtime.jobs.job import (
    Job,
    dependencies,
    model_files,
    second_names,
    stopped_message,
)
from edge_runtime.jobs.partition import Done, cut
from edge_runtime.support import native_log
from edge_runtime.support.console import INTERRUPTED, complain
from edge_runtime.support.progress import Progress, terminal

try:
    # Ray reads these when it is imported. Its C++ part writes to the terminal, and retries for
    # minutes.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import pyarrow as pa
    import ray
    import ray.data
    from ray.data.block import BlockMetadata

    from edge_runtime.inputs.remote import listed
    from edge_runtime.jobs.actor import Actor
    from edge_runtime.output.parts import Parts
except ImportError as exc:
    if (exc.name or "").partition(".")[0] not in ("ray", "pyarrow"):
        raise  # a file of this package
    raise ClusterError("--ray needs Ray; pip install 'edge-classify[ray]'.") from exc

if TYPE_CHECKING:
    from edge_runtime.inference.model import Model

_CONNECT_TIMEOUT_S = 10.0


def run(model: Model, names: list[str], job: Job, *, actors: int | None = None) -> int:
    """Classify the sources on the cluster, write the results, and return the exit code.

    The cluster is the one that the environment variable RAY_ADDRESS names. Without it, a cluster
    is started on this machine.

    Args:
        model: what each actor loads.
        names: files, directories, globs, http(s) URLs, and pyarrow's URIs of files and folders.
        job: its `out` becomes a folder.
        actors: the largest number of actors; None stands for one a core.

    Raises:
        ClusterError: the cluster cannot be reached, or `out` contains something else.
        ModelError: the model file has changed since it was opened.
        OSError: the results cannot be written.
    """
    parts = Parts(str(job.out), "json" if job.format == "json" else "parquet")
    files = model_files(model)
    second, _ = second_names(model)
    progress = Progress(None, terminal(), second=second)
    done: set[str] = set()
    kept = kept_failed = 0
    try:
        with _connected():
            signal.signal(signal.SIGTERM, signal.default_int_handler)  # in place of Ray's own
            here = os.getcwd()  # noqa: PTH109
            sources = {"sources": [*map(shown, names)], "directory": here}
            manifest = dependencies(model, files, job) | sources
            parts.begin(manifest, resume=job.resume, overwrite=job.overwrite)
            for part in _classified(model, files, names, job, parts, actors):
                done.add(part.name)
                progress.clear()
                for sentence in part.complaints:
                    complain(sentence)
                if part.kept:
                    kept += part.images
                    kept_failed += part.failed
                else:
                    progress.count(part.images, failed=part.failed, asked=part.asked)
    except KeyboardInterrupt:
        progress.clear()
        complain(stopped_message(job, progress))
        return INTERRUPTED
    except ray.exceptions.RayError as exc:
        progress.clear()
        complain(
            f"The work on the cluster failed ({_reason(exc)}). Run the same command with --resume "
            f"to continue."
        )
        return 1
    progress.clear()
    parts.finish(done)
    complain(progress.summary() + (f" ({kept:,} kept)" if kept else ""))
    return 1 if progress.failed or kept_failed else 0


@contextmanager
def _connected() -> Iterator[None]:
    """Connect to the cluster or start one, and leave it at the end."""
    # Ray prints its errors on standard output.
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
            f"RAY_ADDRESS is {address}, the address of a Ray Client server, which Ray Data cannot "
            f"use; give the cluster's own HOST:PORT, or run the command with `ray job submit`."
        )
    host, _, port = address.rpartition(":")
    options: dict[str, Any] = {"include_dashboard": False} if address == "local" else {}
    try:
        if port.isdecimal():  # Ray itself would wait for minutes
            socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT_S).close()
        with native_log.dropped():
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **options)
    except Exception as exc:  # Ray raises a bare one if it is not up in time
        if address == "local":
            raise ClusterError(
                f"Ray did not start on this machine ({_reason(exc)}); try again when it is less "
                f"busy, or omit --ray."
            ) from exc
        raise ClusterError(
            f"The Ray cluster {address} cannot be reached ({_reason(exc)}); check RAY_ADDRESS."
        ) from exc


def _classified(
    model: Model,
    files: dict[str, bytes],
    names: list[str],
    job: Job,
    parts: Parts,
    actors: int | None,
) -> Iterator[Done]:
    context = ray.data.DataContext.get_current()
    context.target_max_block_size = 1  # byte, so that a part does not wait for others
    context.enable_progress_bars = False
    context.raise_original_map_exception = True
    for handler in logging.getLogger("ray.data").handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setLevel(logging.CRITICAL)  # its log file has everything
    cores = int(ray.cluster_resources().get("CPU", 0))
    if not cores:
        raise ClusterError("The Ray cluster has no CPUs; add a machine that has some.")
    arguments = {
        "copy": Copy.of(model),
        "files": files,
        "job": job,
        "parts": parts.arguments(),
        "directory": os.getcwd(),  # noqa: PTH109
    }
    rows = (
        ray.data.read_datasource(_Listing(names), num_cpus=0)
        .map(
            _SilentActor,
            fn_constructor_kwargs=arguments,
            compute=ray.data.ActorPoolStrategy(
                min_size=1, initial_size=max(1, min(cores, actors or cores)), max_size=actors
            ),
            num_cpus=1,
        )
        .iter_rows()
    )
    for row in rows:
        yield Done.from_json(row["done"])


class _Listing(ray.data.Datasource):  # type: ignore[misc]
    """The images behind some names. One task lists them lazily and cuts the list into parts."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self._names = names
        self._directory = os.getcwd()  # noqa: PTH109

    supports_distributed_reads = False  # other machines may lack this directory

    def estimate_inmemory_data_size(self) -> int | None:
        return None

    def get_read_tasks(self, *_: Any, **__: Any) -> list[ray.data.ReadTask]:
        return [ray.data.ReadTask(self._blocks, BlockMetadata(None, None, None, None))]

    def _blocks(self) -> Iterator[pa.Table]:
        with suppress(OSError):
            os.chdir(self._directory)
        for part in cut(listed(self._names)):
            yield pa.table({"part": [part.to_json()]})


class _SilentActor(Actor):
    """An actor in a process of its own, where native libraries would write into Ray's log."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        native_log.silence()
        super().__init__(*arguments, **options)


def _reason(exc: Exception) -> str:
    """Return the last line of what an actor or Ray itself raised."""
    cause = getattr(exc, "cause", None) or exc
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    lines = str(cause).strip().splitlines()
    return lines[-1].strip() if lines else type(cause).__name__
