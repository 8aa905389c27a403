"""From what a user names to the images behind it: files, directories, globs, `-` and URLs.

It tells cameras and videos from images; their frames are `edge_runtime.jobs.stream`'s.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

from edge_runtime.errors import ImageError

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from urllib.request import OpenerDirector, Request

STANDARD_INPUT = "-"
MAX_URL_BYTES = 64 << 20
URL_TIMEOUT_S = 30.0
_CAMERAS = ("camera:", "rtsp://", "rtsps://")
_VIDEO_SUFFIXES = (".avi", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpg", ".webm")
_MOTION_JPEG = (".mjpeg", ".mjpg")  # on a server, a camera's
_WEB = ("http://", "https://")
_BLOCK = 1 << 16


class Source(NamedTuple):
    """One image, or why there is none.

    Attributes:
        name: its path or URL.
        content: the image where it came on standard input.
        error: why there is no image of that name.
    """

    name: str
    content: bytes | None = None
    error: ImageError | None = None


def expand(names: Iterable[str]) -> Iterator[Source]:
    """Yield the images behind some names, in order; lazily, for there may be millions."""
    for name in names:
        try:
            yield from _expand(name)
        except ImageError as exc:
            yield Source(name, error=exc)


def is_stream(name: str) -> bool:
    """Say whether a source is a camera or video; of a URL without a suffix its server knows."""
    if name.lower().startswith(_CAMERAS):
        return True
    if not is_url(name):
        return _is_video(name) and not (os.path.isdir(name) or _is_pattern(name))  # noqa: PTH112
    if _is_video(name):
        return True
    from edge_runtime.inputs.decode import SUFFIXES

    if os.path.splitext(name.partition("?")[0])[1].lower() in SUFFIXES:  # noqa: PTH122
        return False
    from edge_runtime.inputs.opencv import serves_frames

    return serves_frames(name)


def gives_the_same_again(name: str) -> bool:
    """Say whether a stream is a video, which has the same frames each time, as no camera has."""
    if name.lower().startswith(_CAMERAS):
        return False
    return is_file(name) or (_is_video(name) and not name.lower().endswith(_MOTION_JPEG))


def _is_video(name: str) -> bool:
    return name.lower().endswith(_VIDEO_SUFFIXES)


def _is_pattern(name: str) -> bool:
    return not os.path.lexists(name) and any(c in name for c in "*?[")


def is_file(name: str) -> bool:
    """Say whether a camera or video is a file."""
    return not (name.lower().startswith(_CAMERAS) or is_url(name))


def is_url(name: str) -> bool:
    """Say whether a source is to be fetched."""
    return name.lower().startswith(_WEB)


def open_url(url: str, *, timeout_s: float = URL_TIMEOUT_S) -> BinaryIO:
    """Fetch an image.

    Args:
        timeout_s: for the whole of it.

    Raises:
        ImageError: it cannot be fetched, takes too long, or has more than `MAX_URL_BYTES` bytes.
    """
    from http.client import HTTPException

    content = BytesIO()
    try:
        with ask(url, timeout_s=timeout_s) as response:
            if not is_url(response.url):
                raise ImageError(f"{url} leads to {response.url}; expected an http(s) address.")
            while block := response.read1(_BLOCK):
                content.write(block)
                if content.tell() > MAX_URL_BYTES:
                    raise ImageError(
                        f"{url} has more than {MAX_URL_BYTES >> 20} MiB; shrink the image first."
                    )
    except TimeoutError as exc:
        raise ImageError(f"{url} took more than {timeout_s:g} s; try it later.") from exc
    except (OSError, HTTPException, ValueError) as exc:  # URLError is an OSError
        reason = getattr(exc, "reason", None) or exc
        if isinstance(reason, TimeoutError):
            raise ImageError(f"{url} took more than {timeout_s:g} s; try it later.") from exc
        raise ImageError(f"{url} cannot be fetched ({reason}); check the address.") from exc
    content.seek(0)
    return content


def ask(url: str, *, timeout_s: float) -> HTTPResponse:
    """Open a URL.

    Args:
        timeout_s: for all that the server says, also what is read of the answer afterwards. A
            socket's own timeout begins anew with each byte, and those may come singly.

    Raises:
        OSError: it cannot be opened, or not in time, which reading may raise as well.
        http.client.HTTPException: the server does not speak HTTP.
        ValueError: it is no URL.
    """
    import time
    from urllib.request import Request

    request = Request(url, headers={"User-Agent": "edge-classify"})
    opener = _opener(time.monotonic() + timeout_s)
    return cast("HTTPResponse", opener.open(request, timeout=timeout_s))


def _opener(deadline: float) -> OpenerDirector:
    """Return what opens URLs and waits for what servers say until a moment of `time.monotonic`."""
    import io
    import socket
    import time
    from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
    from urllib.request import HTTPHandler, HTTPSHandler, build_opener

    class Heard(io.RawIOBase):
        def __init__(self, connected: socket.socket) -> None:
            self._socket, self._raw = connected, connected.makefile("rb", buffering=0)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int | None:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._socket.settimeout(left_s)
            return self._raw.readinto(buffer)

        def close(self) -> None:
            self._raw.close()
            super().close()

    class Socket:
        def __init__(self, connected: socket.socket) -> None:
            self._socket = connected

        def makefile(self, mode: str) -> io.BufferedReader:
            return io.BufferedReader(Heard(self._socket))

    class Response(HTTPResponse):
        def __init__(self, connected: socket.socket, *arguments: Any, **options: Any) -> None:
            super().__init__(cast("socket.socket", Socket(connected)), *arguments, **options)

    class Connection(HTTPConnection):
        response_class = Response

    class SecureConnection(HTTPSConnection):
        response_class = Response

    class Http(HTTPHandler):
        def http_open(self, request: Request) -> HTTPResponse:
            return self.do_open(Connection, request)

    class Https(HTTPSHandler):
        def https_open(self, request: Request) -> HTTPResponse:
            return self.do_open(SecureConnection, request)

    return build_opener(Http, Https)


def _expand(name: str) -> Iterator[Source]:
    if not name:
        raise ImageError("Expected the name of a file or directory, but got an empty one.")
    if name == STANDARD_INPUT:
        yield from _standard_input()
    elif is_url(name):
        yield Source(name)
    elif os.path.isdir(name):  # noqa: PTH112 - unlike Path.is_dir, it never raises
        yield from _directory(name)
    elif _is_pattern(name):
        yield from _glob(name)
    elif _is_video(name):
        raise ImageError(f"{name} is a video; name it by itself on the command line.")
    else:
        yield Source(name)


def _standard_input() -> Iterator[Source]:
    """Yield the image on standard input, or those whose names stand there, one a line."""
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
    content = first + stream.read(MAX_URL_BYTES)
    if not content:
        raise ImageError("Standard input is empty; expected an image, or names of images.")
    if len(content) > MAX_URL_BYTES:
        raise ImageError(
            f"Standard input has more than {MAX_URL_BYTES >> 20} MiB; shrink the image first."
        )
    yield Source(STANDARD_INPUT, content=content)


def _is_name(line: bytes) -> bool:
    """Say whether a first line is a name and not the beginning of an image."""
    import re

    if not line or b"\0" in line or line[:1] in (b"\x89", b"\xff"):
        return False
    in_text = re.match(rb"GIF8[79]a|RIFF|BM|P[1-6](\s|#|$)", line)
    return in_text is None or os.path.lexists(line)


def _glob(pattern: str) -> Iterator[Source]:
    found = sorted(set(_matches(pattern)))
    *above, last = pattern.split("/")
    if last == "**" or (last == "*" and "**" in above):  # what directories hold matches as well
        found = [name for name in found if not os.path.isdir(name)]  # noqa: PTH112
    if not found:
        raise ImageError(f"{pattern} matches no file; check the pattern.")
    yield from expand(found)


def _matches(pattern: str) -> Iterator[str]:
    """Yield what a pattern matches; unlike `glob`'s, its `**` does not go round linked folders."""
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
    """Yield a folder and those below it that are not hidden, with a slash at the end of each."""
    pending: list[tuple[str, frozenset[tuple[int, int]]]] = [(root, frozenset())]
    while pending:
        folder, above = pending.pop()
        try:
            status = os.stat(folder or ".")  # noqa: PTH116
            with os.scandir(folder or ".") as entries:
                names = [e.name for e in entries if _is_directory(e) and e.name[0] != "."]
        except OSError:  # as `glob`
            continue
        here = (status.st_dev, status.st_ino)
        if here not in above:  # else a link to a directory that this one lies in
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
    """Yield the images in a directory and below it, sorted; links are followed, but not round."""
    from edge_runtime.inputs.decode import SUFFIXES

    above: frozenset[tuple[int, int]] = frozenset()  # the directories that a name lies in
    pending = [(root, True, above)]  # no recursion, for which a tree may be too deep
    while pending:
        name, is_directory, above = pending.pop()
        if not is_directory:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
            # A link to nowhere is told of when it is read.
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
        if here in above:  # a link to a directory that this one lies in
            continue
        above |= {here}
        # As pathlib does: "." is left out.
        prefix = "" if name == "." else name.rstrip("/") + "/" if name.strip("/") else "/"
        pending += [(prefix + entry, kind, above) for entry, kind in reversed(found)]


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in circles, or where one may not look
        return True  # searching it will say so
