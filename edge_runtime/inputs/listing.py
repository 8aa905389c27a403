"""The images behind names: files, folders with all below them, patterns, `-` and URLs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

from edge_runtime.errors import ImageError
from edge_runtime.inputs.names import STANDARD_INPUT, Source, is_pattern, is_video
from edge_runtime.inputs.urls import is_url, shown


def expand(names: Iterable[str]) -> Iterator[Source]:
    """Yield the images behind names, in order, and lazily because there may be millions."""
    for name in names:
        try:
            yield from _expand(name)
        except ImageError as exc:
            yield Source(name, error=exc)


def _expand(name: str) -> Iterator[Source]:
    if not name:
        raise ImageError("Expected the name of a file or directory, but got an empty one.")
    if name == STANDARD_INPUT:
        yield from _standard_input()
    elif is_url(name):
        yield Source(name)
    elif os.path.isdir(name):  # noqa: PTH112 - unlike Path.is_dir, it never raises
        yield from _directory(name)
    elif is_pattern(name):
        yield from _glob(name)
    elif is_video(name):
        raise ImageError(f"{shown(name)} is a video; name it by itself on the command line.")
    else:
        yield Source(name)


def _standard_input() -> Iterator[Source]:
    """Yield the image on standard input, or the images named there, one name a line."""
    from edge_runtime.inputs.http import MAX_CONTENT_BYTES

    if sys.stdin is None:
        raise ImageError("Standard input is closed; expected an image, or names of images.")
    stream = sys.stdin.buffer
    first = stream.readline(4096)
    if _is_name(first.rstrip(b"\r\n")):
        while first:
            if name := os.fsdecode(first.rstrip(b"\r\n")):
                yield from expand([name])
            first = stream.readline()
        return
    content = first + stream.read(MAX_CONTENT_BYTES)
    if not content:
        raise ImageError("Standard input is empty; expected an image, or names of images.")
    if len(content) > MAX_CONTENT_BYTES:
        raise ImageError(
            f"Standard input is larger than {MAX_CONTENT_BYTES >> 20} MiB; shrink the image first."
        )
    yield Source(STANDARD_INPUT, content=content)


def _is_name(line: bytes) -> bool:
    """Return whether a first line is a name and not the beginning of an image."""
    import re

    if not line or b"\0" in line or line[:1] in (b"\x89", b"\xff"):
        return False
    in_text = re.match(rb"GIF8[79]a|RIFF|BM|P[1-6](\s|#|$)", line)
    return in_text is None or os.path.lexists(line)


def _glob(pattern: str) -> Iterator[Source]:
    found = sorted(set(_matches(pattern)))
    *above, last = pattern.split("/")
    if last == "**" or (last == "*" and "**" in above):  # what directories hold matches too
        found = [name for name in found if not os.path.isdir(name)]  # noqa: PTH112
    if not found:
        raise ImageError(f"{pattern} matches no file; check the pattern.")
    yield from expand(found)


def _matches(pattern: str) -> Iterator[str]:
    """Yield what a pattern matches; unlike in `glob`, `**` enters no circle of linked folders."""
    from glob import escape, glob

    parts = pattern.split("/")
    if "**" not in parts:
        yield from glob(pattern)  # noqa: PTH207
        return
    at = parts.index("**")
    above, below = "/".join(parts[:at]), "/".join(parts[at + 1 :] or ["*"])
    roots = glob(f"{above}/") if at else [""]  # noqa: PTH207
    for root in roots:
        for folder in _folders(root):
            yield from _matches(escape(folder) + below)


def _folders(root: str) -> Iterator[str]:
    """Yield a folder and all folders below it that are not hidden, each with a slash at its end."""
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(root, frozenset())]
    while pending:
        folder, above = pending.pop()
        try:
            status = os.stat(folder or ".")  # noqa: PTH116
            with os.scandir(folder or ".") as entries:
                names = [e.name for e in entries if _is_directory(e) and e.name[0] != "."]
        except OSError:  # `glob` passes over it too
            continue
        here = (status.st_dev, status.st_ino)
        if here not in above:  # otherwise it is a link to a folder that contains it
            yield folder
            pending += [(f"{folder}{name}/", above | {here}) for name in names]


def _directory(root: str) -> Iterator[Source]:
    from edge_runtime.inputs.decode import SUFFIXES

    source = None
    for source in _walk(root):
        yield source
    if source is None:
        raise ImageError(
            f"{root} is a directory without images; expected {', '.join(sorted(SUFFIXES))}."
        )


def _walk(root: str) -> Iterator[Source]:
    """Yield the images in and below a directory, sorted; links are followed, but no circles."""
    from edge_runtime.inputs.decode import SUFFIXES

    above: frozenset[tuple[int, int]] = frozenset()  # folders that contain this name
    pending = [(root, True, above)]  # no recursion, because a tree may be too deep for it
    while pending:
        name, is_directory, above = pending.pop()
        if not is_directory:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
            # A link to nowhere is reported when it is read.
            if suffix in SUFFIXES and (os.path.isfile(name) or not os.path.exists(name)):  # noqa: PTH110, PTH113
                yield Source(name)
            continue
        try:
            status = os.stat(name)  # noqa: PTH116
            with os.scandir(name) as entries:
                found = sorted((entry.name, _is_directory(entry)) for entry in entries)
        except OSError as exc:
            error = ImageError(
                f"{name} cannot be searched ({exc.strerror}); check it and its permissions."
            )
            yield Source(name, error=error)
            continue
        here = (status.st_dev, status.st_ino)
        if here in above:  # a link to a folder that contains it
            continue
        above |= {here}
        # Leave "." out, as pathlib does.
        prefix = "" if name == "." else name.rstrip("/") + "/" if name.strip("/") else "/"
        pending += [(prefix + entry, kind, above) for entry, kind in reversed(found)]


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or into a folder without permission
        return True  # searching it gives the error
