"""The images behind names: files, folders with all below them, patterns, `-` and URLs.

`edge_runtime.inputs.folders` searches folders.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from edge_runtime.errors import ImageError
from edge_runtime.inputs.names import STANDARD_INPUT, Source, is_heic, is_pattern, is_video
from edge_runtime.inputs.urls import is_url, shown

_UTF8_MARK, _UTF16_MARKS = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


class LeftOut:
    """Counts the files that folders hold besides images; call it with the name of each.

    Attributes:
        files: how many files were left out.
        videos: how many of them are videos.
        heic: how many of them are photographs in HEIC, which is not read.
    """

    def __init__(self) -> None:
        self.files = self.videos = self.heic = 0

    def __call__(self, name: str) -> None:
        """Count a file."""
        self.files += 1
        self.videos += is_video(name)
        self.heic += is_heic(name)

    def __str__(self) -> str:
        """Return a sentence that says how many files were left out."""
        files = "1 file" if self.files == 1 else f"{self.files:,} files"
        videos = f" ({self.videos:,} of them videos)" if self.videos else ""
        if self.heic:
            heic = f"{self.heic:,} of them are HEIC, which is not read: save them as JPEG"
            return f"Left out {files} in folders without an image's suffix{videos}; {heic}."
        return f"Left out {files} in folders without an image's suffix{videos}; name one to try it."


def expand(
    names: Iterable[str], left_out: Callable[[str], None] = lambda name: None
) -> Iterator[Source]:
    """Yield the images behind names, in order, and lazily because there may be millions.

    Args:
        names: what the user named.
        left_out: called with each file in a folder that has no suffix of an image, such as a
            `LeftOut`.
    """
    for name in names:
        try:
            yield from _expand(name, left_out)
        except ImageError as exc:
            yield Source(name, error=exc)


def _expand(name: str, left_out: Callable[[str], None]) -> Iterator[Source]:
    if not name:
        raise ImageError("Expected the name of a file or directory, but got an empty one.")
    if name == STANDARD_INPUT:
        yield from _standard_input(left_out)
    elif is_url(name):
        yield Source(name)
    elif os.path.isdir(name):  # noqa: PTH112 - unlike Path.is_dir, it never raises
        yield from _directory(name, left_out)
    elif is_pattern(name):
        yield from _glob(name, left_out)
    elif is_video(name):
        raise ImageError(f"{shown(name)} is a video; name it by itself on the command line.")
    else:
        yield Source(name)


def _standard_input(left_out: Callable[[str], None]) -> Iterator[Source]:
    """Yield the image on standard input, or the images named there, one name a line."""
    from edge_runtime.inputs.http import MAX_CONTENT_BYTES

    if sys.stdin is None:
        raise ImageError("Standard input is closed; expected an image, or names of images.")
    stream = sys.stdin.buffer
    blank, first = b"", stream.readline(4096)
    if first.startswith(_UTF16_MARKS):  # no image starts so
        yield from expand(_utf16_lines(first, stream), left_out)
        return
    first = first.removeprefix(_UTF8_MARK)
    while first and not first.strip():  # but a PCX image starts with a line break
        blank, first = blank + first, stream.readline(4096)
    if _is_name(first.rstrip(b"\r\n")):
        while first:
            if first.strip() and (name := os.fsdecode(first.rstrip(b"\r\n"))):
                yield from expand([name], left_out)
            first = stream.readline()
        return
    content = blank + first + stream.read(MAX_CONTENT_BYTES)
    if not content.strip():
        raise ImageError("Standard input is empty; expected an image, or names of images.")
    if len(content) > MAX_CONTENT_BYTES:
        raise ImageError(
            f"Standard input is larger than {MAX_CONTENT_BYTES >> 20} MiB; shrink the image first."
        )
    yield Source(STANDARD_INPUT, content=content)


def _utf16_lines(first: bytes, stream: BinaryIO) -> Iterator[str]:
    """Yield the lines of a list that Windows wrote as UTF-16, without those that are blank."""
    try:
        text = (first + stream.read()).decode("utf-16")
    except UnicodeDecodeError as exc:
        raise ImageError(
            "Standard input starts like text in UTF-16, but is not; save the names as UTF-8."
        ) from exc
    yield from (line for line in text.splitlines() if line.strip())


def _is_name(line: bytes) -> bool:
    """Return whether a first line is a name and not the beginning of an image."""
    import re

    if not line or b"\0" in line or line[:1] in (b"\x89", b"\xff"):
        return False
    in_text = re.match(rb"GIF8[79]a|RIFF|BM|P[1-6f](\s|#|$)", line)
    return in_text is None or os.path.lexists(line)


def _glob(pattern: str, left_out: Callable[[str], None]) -> Iterator[Source]:
    from edge_runtime.inputs.folders import is_housekeeping

    found = sorted(set(_matches(pattern)))
    *above, last = pattern.split("/")
    if last == "**" or (last == "*" and "**" in above):  # what directories hold matches too
        found = [name for name in found if not os.path.isdir(name)]  # noqa: PTH112
    if not is_housekeeping(last):
        found = [name for name in found if not is_housekeeping(name.rpartition("/")[2])]
    if not found:
        raise ImageError(f"{pattern} matches no file; check the pattern.")
    yield from expand(found, left_out)


def _matches(pattern: str) -> Iterator[str]:
    """Yield what a pattern matches; unlike in `glob`, `**` enters no folder twice."""
    from glob import escape, glob

    from edge_runtime.inputs.folders import folders_below

    parts = pattern.split("/")
    if "**" not in parts:
        yield from glob(pattern)  # noqa: PTH207
        return
    at = parts.index("**")
    above, below = "/".join(parts[:at]), "/".join(parts[at + 1 :] or ["*"])
    roots = glob(f"{above}/") if at else [""]  # noqa: PTH207
    for root in roots:
        for folder in folders_below(root):
            yield from _matches(escape(folder) + below)


def _directory(root: str, left_out: Callable[[str], None]) -> Iterator[Source]:
    from edge_runtime.inputs.decode import SUFFIXES
    from edge_runtime.inputs.folders import images_below

    source = None
    for source in images_below(root, left_out):
        yield source
    if source is None:
        raise ImageError(
            f"{root} is a directory without images; expected {', '.join(sorted(SUFFIXES))}."
        )
