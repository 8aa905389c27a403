"""A folder of results in parts, on any of `edge_runtime.inputs.remote`.

    results.parquet.part/_job.json                       what is being done, and with what
    results.parquet.part/part-000007-9f3c2a7b0d1e4c55.parquet

A part carries its place among all and the hash of its sources' names. It takes its name when it
is whole, so that what has a name is done, and doing it twice changes nothing. The folder takes
its own name when all parts are there, as a file of `edge_runtime.output.formats` does. A reader that
follows the custom of Parquet data sets passes over names that begin with `_` or a dot.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, FileType, LocalFileSystem

from edge_runtime.errors import ClusterError, EdgeRuntimeError
from edge_runtime.inputs.remote import locate
from edge_runtime.output.formats import differing, formatter

if TYPE_CHECKING:
    from edge_runtime.classifier import Prediction

    Result = list[Prediction] | EdgeRuntimeError

Kind = Literal["parquet", "json"]
_MANIFEST = "_job.json"
_AT_ONCE = 16  # requests to an object store, each of which takes tens of milliseconds
_SUFFIXES = {"parquet": ".parquet", "json": ".jsonl"}
# What a folder may hold besides its manifest.
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
        ("error", pa.string()),
    ]
)
# No source can hold this in a JSON line, for its quotes are escaped there.
_ERROR = b'", "error": "'


class Count(NamedTuple):
    """How many images a part has, and how many of them have no answer."""

    images: int
    failed: int


class Parts:
    """The parts of one job's results; may be pickled."""

    def __init__(self, out: str, kind: Kind) -> None:
        """Look where they go; the one who begins with them is the one who may finish.

        Args:
            out: the folder's name when all is done, a path or URI.

        Raises:
            ClusterError: there is no such file system, or it cannot be reached.
        """
        try:
            self._filesystem, self._out = locate(out.rstrip("/"))
        except (ValueError, OSError) as exc:
            raise ClusterError(f"{out} cannot be written to ({exc}); check --out.") from exc
        self._name = out
        self._folder = self._out + ".part"
        self._kind: Kind = kind
        self._run = uuid4().hex

    def begin(self, job: dict[str, Any], *, resume: bool) -> None:
        """Make the folder ready, empty or with what a former run left.

        Args:
            job: what must be the same for that; goes into the folder as JSON.

        Raises:
            ClusterError: the former run did something else, or what is in the way is not ours.
            OSError: the folder cannot be written.
        """
        for path in (self._out, self._folder):
            strange = self._strange(path)
            if strange:
                raise ClusterError(
                    f"{path} {strange}, and is not replaced; give --out another name."
                )
        manifest = (json.dumps(job | {"run": self._run}, indent=2) + "\n").encode()
        if resume:
            for path in (self._folder, self._out):
                former = self._read_manifest(path)
                if former is None:
                    continue
                why = differing(job, former)
                if why:
                    raise ClusterError(f"{path} {why}.")
                if path == self._out:
                    self._move(self._out, self._folder)
                self._put(f"{self._folder}/{_MANIFEST}", manifest)
                return
        self._delete(self._folder)
        self._filesystem.create_dir(self._folder, recursive=True)
        self._put(f"{self._folder}/{_MANIFEST}", manifest)

    def name(self, number: int, digest: str) -> str:
        """Return a part's name."""
        return f"part-{number:06}-{digest}{_SUFFIXES[self._kind]}"

    def count(self, name: str) -> Count | None:
        """Count what a part holds; None where it is not there, or damaged."""
        try:
            with self._filesystem.open_input_file(f"{self._folder}/{name}") as stream:
                if self._kind == "parquet":
                    metadata = pq.ParquetFile(stream).metadata
                    return Count(metadata.num_rows, int(metadata.metadata[b"failed"]))
                content = stream.read()
        except (OSError, pa.ArrowInvalid, KeyError, TypeError):
            return None
        return Count(content.count(b"\n"), content.count(_ERROR))

    def write(self, name: str, results: Iterable[tuple[str, Result]], run: dict[str, Any]) -> Count:
        """Write a part, at once or not at all.

        Args:
            name: from `name`.
            results: sources and what they gave.
            run: what ran the model, from `edge_runtime.output.formats.record`.

        Raises:
            ClusterError: another run has begun with the same folder.
            OSError: it cannot be written.
        """
        self._require_own()
        results = list(results)
        failed = sum(isinstance(result, EdgeRuntimeError) for _, result in results)
        if self._kind == "json":
            line = formatter("json", run)
            content = "".join(line(source, result, None) for source, result in results).encode()
        else:
            content = _parquet(results, {"failed": str(failed), "run": json.dumps(run)})
        self._put(f"{self._folder}/{name}", content)
        return Count(len(results), failed)

    def finish(self, names: set[str]) -> None:
        """Give the folder its name.

        Args:
            names: the parts that belong there; others, of files that are there no longer, go.

        Raises:
            ClusterError: another run has begun with the same folder.
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
        temporary = f"{folder}/.{name}.{uuid4().hex}"  # two may write the same part
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
        # Object stores have no folders to rename. The manifest, which comes last, says that all
        # is there.
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
        """Say why a path is not for results alone, or nothing where it is, or is not there."""
        if self._filesystem.get_file_info(path).type == FileType.File:
            return "is a file"
        names = sorted(found.rsplit("/", 1)[-1] for found in self._list(path))
        others = [name for name in names if name != _MANIFEST and not _OURS.fullmatch(name)]
        return f"holds {others[0]}, which is no result" if others else ""

    def _require_own(self) -> None:
        manifest = self._read_manifest(self._folder)
        if manifest is None or manifest.get("run") != self._run:
            raise ClusterError(f"{self._folder} is another run's by now; give each its own --out.")

    def _read_manifest(self, folder: str) -> dict[str, Any] | None:
        try:
            with self._filesystem.open_input_file(f"{folder}/{_MANIFEST}") as stream:
                return dict(json.loads(stream.read()))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as exc:
            raise ClusterError(
                f"{folder}/{_MANIFEST} is damaged; remove {folder}, or give --out another name."
            ) from exc


def _parquet(results: list[tuple[str, Result]], metadata: dict[str, str]) -> pa.Buffer:
    rows: list[dict[str, object]] = []
    for source, result in results:
        if isinstance(result, EdgeRuntimeError):
            rows.append({"source": _utf8(source), "error": _utf8(str(result))})
        else:
            predictions = [{"label": p.label, "index": p.index, "score": p.score} for p in result]
            rows.append({"source": _utf8(source), "predictions": predictions})
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA.with_metadata(metadata)), sink)
    return sink.getvalue()


def _utf8(text: str) -> str:
    """Return what Parquet can hold of a file name, which may be no valid UTF-8."""
    return text.encode(errors="backslashreplace").decode()
