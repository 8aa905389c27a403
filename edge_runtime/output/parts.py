"""A folder of results in parts, on any file system that pyarrow knows.

    results.parquet.part/_job.json                       what is being done, and with what
    results.parquet.part/part-000007-9f3c2a7b0d1e4c55.parquet

A part's name holds its place and the hash of its sources' names. A part takes its name when it is
complete, so that what has a name is done, and doing it twice changes nothing. The folder takes its
own name when all parts are there, like a file of `edge_runtime.output.file`. By convention readers
of Parquet data sets skip names that begin with `_` or a dot.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, NamedTuple
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileType, LocalFileSystem

from edge_runtime.errors import ClusterError, OutputError
from edge_runtime.inputs.remote import locate
from edge_runtime.output.formats import formatter
from edge_runtime.output.resume import difference
from edge_runtime.results import Result, record

PartFormat = Literal["parquet", "json"]
_MANIFEST = "_job.json"
_AT_ONCE = 16  # requests to an object store; each takes tens of milliseconds
_SUFFIXES = {"parquet": ".parquet", "json": ".jsonl"}
# What a folder may contain besides its manifest.
_OURS = re.compile(
    r"part-\d{6,}-[0-9a-f]{16}\.(parquet|jsonl)"
    r"|\.(part-\d{6,}-[0-9a-f]{16}\.(parquet|jsonl)|_job\.json)\.[0-9a-f]{32}"
)
_SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        (
            "predictions",
            pa.list_(
                pa.struct([("label", pa.string()), ("index", pa.int32()), ("score", pa.float32())])
            ),
        ),
        ("accepted", pa.bool_()),
        ("model", pa.string()),
        ("delegate", pa.string()),
        ("error", pa.string()),
        ("layout", pa.int32()),
    ]
)
# No source can contain this in a JSON line, because its quotes are escaped there.
_ERROR = b'", "error": "'


class Count(NamedTuple):
    """How many images a part has, and how many of them failed."""

    images: int
    failed: int


class Parts:
    """The parts of one job's results.

    Copies on other machines write the same folder: `arguments` makes them.
    """

    def __init__(self, out: str, format: PartFormat, run: str = "") -> None:
        """Look up the file system.

        Args:
            out: the folder's final name, a path or URI.
            format: how the results are written.
            run: identifies the run that owns the folder; a new run if empty.

        Raises:
            ClusterError: there is no such file system, or it cannot be reached.
        """
        try:
            self._filesystem, self._out = locate(out.rstrip("/"))
        except (ValueError, OSError) as exc:
            raise ClusterError(f"{out} cannot be written to ({exc}); check --out.") from exc
        self._name = out
        self._folder = self._out + ".part"
        self._format: PartFormat = format
        self._run = run or uuid4().hex

    def arguments(self) -> dict[str, str]:
        """Return the arguments that make a copy for the same run."""
        return {"out": self._name, "format": self._format, "run": self._run}

    def begin(self, job: dict[str, Any], *, resume: bool, overwrite: bool = False) -> None:
        """Prepare the folder, empty or with what a previous run left.

        Args:
            job: what results depend on; goes into the folder as JSON.
            resume: keep the parts that a previous run of the same job left.
            overwrite: replace what a previous run left.

        Raises:
            ClusterError: the previous job was a different one, or other files are in the way.
            OutputError: a previous run left results, and neither `resume` nor `overwrite` is set.
            OSError: the folder cannot be written.
        """
        for path in (self._out, self._folder):
            strange = self._strange(path)
            if strange:
                raise ClusterError(
                    f"{path} {strange}, so it is not replaced; give --out another name."
                )
        manifest = (json.dumps(job | {"run": self._run}, indent=2) + "\n").encode()
        if resume:
            for path in (self._folder, self._out):
                previous = self._read_manifest(path)
                if previous is None:
                    continue
                why = difference(job, previous)
                if why:
                    raise ClusterError(f"{path} {why}.")
                if path == self._out:
                    self._move(self._out, self._folder)
                self._put(f"{self._folder}/{_MANIFEST}", manifest)
                return
        elif not overwrite:
            for path in (self._folder, self._out):
                if self._filesystem.get_file_info(path).type == FileType.Directory:
                    raise OutputError(
                        f"--out {self._name}: {path} has results of a previous run; add --resume "
                        f"to continue it, or --overwrite to start over."
                    )
        self._delete(self._folder)
        self._filesystem.create_dir(self._folder, recursive=True)
        self._put(f"{self._folder}/{_MANIFEST}", manifest)

    def name(self, number: int, digest: str) -> str:
        """Return a part's file name.

        Args:
            number: its place among all parts.
            digest: a hash of its sources' names.
        """
        return f"part-{number:06}-{digest}{_SUFFIXES[self._format]}"

    def count(self, name: str) -> Count | None:
        """Count the images of a part; None if it is missing or damaged."""
        try:
            with self._filesystem.open_input_file(f"{self._folder}/{name}") as stream:
                if self._format == "parquet":
                    metadata = pq.ParquetFile(stream).metadata
                    return Count(metadata.num_rows, int(metadata.metadata[b"failed"]))
                content = stream.read()
        except (OSError, pa.ArrowInvalid, KeyError, TypeError):
            return None
        return Count(content.count(b"\n"), content.count(_ERROR))

    def write(self, name: str, results: Iterable[tuple[str, Result]], delegate: str) -> Count:
        """Write a part atomically.

        Args:
            name: from `name`.
            results: sources and their results.
            delegate: what ran the model.

        Raises:
            ClusterError: another run has taken over the folder.
            OSError: it cannot be written.
        """
        self._require_own()
        results = list(results)
        failed = sum(result.error is not None for _, result in results)
        if self._format == "json":
            line = formatter("json", delegate)
            content = "".join(line(source, result) for source, result in results).encode()
        else:
            content = _parquet(results, delegate, {"failed": str(failed)})
        self._put(f"{self._folder}/{name}", content)
        return Count(len(results), failed)

    def finish(self, names: set[str]) -> None:
        """Give the folder its final name.

        Args:
            names: the parts that belong there. Parts of images that are gone are deleted.

        Raises:
            ClusterError: another run has taken over the folder.
            OSError: it cannot be written.
        """
        self._require_own()
        for path in self._list(self._folder):
            name = path.rsplit("/", 1)[-1]
            if name not in names and _OURS.fullmatch(name):
                self._filesystem.delete_file(path)
        self._delete(self._out)
        self._move(self._folder, self._out)

    def _put(self, path: str, content: bytes) -> None:
        folder, name = path.rsplit("/", 1)
        temporary = f"{folder}/.{name}.{uuid4().hex}"  # two machines may write the same part
        with self._filesystem.open_output_stream(temporary, compression=None) as stream:
            stream.write(content)
        if isinstance(self._filesystem, LocalFileSystem):
            with open(temporary, "rb") as written:  # noqa: PTH123
                os.fsync(written.fileno())
        self._filesystem.move(temporary, path)

    def _move(self, old: str, new: str) -> None:
        if isinstance(self._filesystem, LocalFileSystem):
            self._filesystem.move(old, new)
            return
        # Object stores have no folders to rename. The manifest comes last and says that the
        # folder is complete.
        self._filesystem.create_dir(new)
        manifest = f"{old}/{_MANIFEST}"
        files = [path for path in self._list(old) if path != manifest]
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            moved = [threads.submit(self._filesystem.move, p, new + p[len(old) :]) for p in files]
            for future in moved:
                future.result()
        self._filesystem.move(manifest, f"{new}/{_MANIFEST}")
        self._delete(old)

    def _delete(self, folder: str) -> None:
        if self._filesystem.get_file_info(folder).type == FileType.Directory:
            self._filesystem.delete_dir(folder)

    def _list(self, folder: str) -> list[str]:
        selector = FileSelector(folder, allow_not_found=True)
        return [info.path for info in self._filesystem.get_file_info(selector)]

    def _strange(self, path: str) -> str:
        """Return why a path holds more than results, or an empty string if it does not."""
        if self._filesystem.get_file_info(path).type == FileType.File:
            return "is a file"
        names = sorted(found.rsplit("/", 1)[-1] for found in self._list(path))
        others = [name for name in names if name != _MANIFEST and not _OURS.fullmatch(name)]
        return f"contains {others[0]}, which is not a result" if others else ""

    def _require_own(self) -> None:
        manifest = self._read_manifest(self._folder)
        if manifest is None or manifest.get("run") != self._run:
            raise ClusterError(
                f"{self._folder} now belongs to another run; give each run its own --out."
            )

    def _read_manifest(self, folder: str) -> dict[str, Any] | None:
        try:
            with self._filesystem.open_input_file(f"{folder}/{_MANIFEST}") as stream:
                return dict(json.loads(stream.read()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as exc:
            raise ClusterError(
                f"{folder}/{_MANIFEST} is damaged; delete {folder}, or give --out another name."
            ) from exc


def _parquet(
    results: list[tuple[str, Result]], delegate: str, metadata: dict[str, str]
) -> pa.Buffer:
    rows = [
        {key: _utf8(v) if isinstance(v, str) else v for key, v in fields.items()}
        for fields in (record(source, result, delegate) for source, result in results)
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA.with_metadata(metadata)), sink)
    return sink.getvalue()


def _utf8(text: str) -> str:
    """Escape what Parquet cannot hold of a file name that is invalid UTF-8."""
    return text.encode(errors="backslashreplace").decode()
