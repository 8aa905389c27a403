"""Images on the file systems that pyarrow knows: S3, GCS, HDFS and others, also file://."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote

from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem

from edge_runtime.errors import ImageError
from edge_runtime.inputs.folders import is_housekeeping
from edge_runtime.inputs.http import MAX_CONTENT_BYTES
from edge_runtime.inputs.listing import expand
from edge_runtime.inputs.names import Source
from edge_runtime.inputs.urls import is_url, shown

_FETCHED_AT_ONCE = 16  # because each image of an object store takes tens of milliseconds


def is_uri(name: str) -> bool:
    """Return whether a name is a URI, such as s3://bucket/folder."""
    return "://" in name


def locate(name: str) -> tuple[FileSystem, str]:
    """Return the file system of a path or URI, and its path there.

    Raises:
        ValueError: pyarrow does not know this kind of URI.
        OSError: the file system cannot be reached.
    """
    if is_uri(name):
        filesystem, path = FileSystem.from_uri(name)
        return filesystem, path
    return LocalFileSystem(), os.path.abspath(name)  # noqa: PTH100 - unlike Path.resolve, it keeps links


def listed(names: Iterable[str]) -> Iterator[Source]:
    """Yield the images behind names, in order; unlike `expand`, behind pyarrow's URIs too."""
    for name in names:
        if is_uri(name) and not is_url(name):
            yield from _listed_uri(name)
        else:
            yield from expand([name])


def _listed_uri(uri: str) -> Iterator[Source]:
    from edge_runtime.inputs.decode import SUFFIXES

    root, _, query = uri.partition("?")
    tail = f"?{query}" if query else ""
    try:
        filesystem, path = locate(uri)
        if filesystem.get_file_info(path).type != FileType.Directory:
            yield Source(uri)
            return
        waiting = [path]  # folders still to list; the last one is next
        while waiting:
            infos = filesystem.get_file_info(FileSelector(waiting.pop()))
            infos = [info for info in infos if not is_housekeeping(info.base_name)]
            infos.sort(key=lambda info: info.path)
            waiting += [i.path for i in reversed(infos) if i.type == FileType.Directory]
            for info in infos:
                if info.is_file and Path(info.path).suffix.lower() in SUFFIXES:
                    below = info.path[len(path.rstrip("/")) :]
                    yield Source(root.rstrip("/") + quote(below) + tail)
    except (ValueError, OSError) as exc:
        error = ImageError(f"{shown(uri)} cannot be searched ({_said(exc, uri)}); check the name.")
        yield Source(uri, error=error)


def fetched(sources: list[Source]) -> Iterator[Source]:
    """Yield sources in order; those with pyarrow's URIs with their content, fetched in parallel."""
    if not any(map(_is_elsewhere, sources)):
        yield from sources
        return
    with ThreadPoolExecutor(_FETCHED_AT_ONCE) as threads:
        for start in range(0, len(sources), _FETCHED_AT_ONCE):
            yield from threads.map(_fetched, sources[start : start + _FETCHED_AT_ONCE])


def _is_elsewhere(source: Source) -> bool:
    return source.error is None and is_uri(source.name) and not is_url(source.name)


def _fetched(source: Source) -> Source:
    if not _is_elsewhere(source):
        return source
    name = source.name
    try:
        base, _, query = name.partition("?")
        folder, _, file = base.rpartition("/")
        filesystem, path = _located(folder + "/" + (f"?{query}" if query else ""))
        with filesystem.open_input_file(f"{path.rstrip('/')}/{unquote(file)}") as stream:
            if stream.size() > MAX_CONTENT_BYTES:
                raise ImageError(
                    f"{shown(name)} is larger than {MAX_CONTENT_BYTES >> 20} MiB; "
                    f"shrink the image first."
                )
            return Source(name, content=stream.read())
    except FileNotFoundError:
        error = ImageError(f"There is no file {shown(name)}; check the name.")
    except (ValueError, OSError) as exc:
        error = ImageError(f"{shown(name)} cannot be read ({_said(exc, name)}); check the name.")
    except ImageError as exc:
        error = exc
    return Source(name, error=error)


def _said(exc: Exception, uri: str) -> str:
    """Return an error's reason without the login that the URI may hold."""
    return str(exc).replace(uri, shown(uri))


_located = lru_cache(locate)  # connecting to a store takes longer than fetching an image
