"""The HTTP client: fetches images and asks servers whether they send frames.

Uses the standard library only, and imports it inside functions because it takes 50 ms.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from edge_runtime.errors import ImageError

if TYPE_CHECKING:
    import socket
    from http.client import HTTPResponse
    from urllib.request import OpenerDirector, Request

MAX_CONTENT_BYTES = 64 << 20  # largest image file that is read into memory
_FETCH_TIMEOUT_S = 30.0
_ASK_TIMEOUT_S = 10.0
_BLOCK_BYTES = 1 << 16


def open_url(url: str, *, timeout_s: float = _FETCH_TIMEOUT_S) -> BinaryIO:
    """Fetch an image file into memory.

    Args:
        url: an http(s) address.
        timeout_s: limit of the whole download.

    Raises:
        ImageError: it cannot be fetched, takes too long, or exceeds `MAX_CONTENT_BYTES`.
    """
    from http.client import HTTPException
    from urllib.parse import urlsplit

    content = BytesIO()
    try:
        with ask(url, timeout_s=timeout_s) as response:
            if urlsplit(response.url).scheme not in ("http", "https"):
                raise ImageError(
                    f"{url} redirects to {response.url}, but only http(s) addresses are fetched; "
                    f"give the image's own address."
                )
            while block := response.read1(_BLOCK_BYTES):
                content.write(block)
                if content.tell() > MAX_CONTENT_BYTES:
                    raise ImageError(
                        f"{url} is larger than {MAX_CONTENT_BYTES >> 20} MiB; "
                        f"shrink the image first."
                    )
    except TimeoutError as exc:
        raise ImageError(f"{url} took more than {timeout_s:g} s; try again later.") from exc
    except (OSError, HTTPException, ValueError) as exc:  # URLError is an OSError
        reason = getattr(exc, "reason", None) or exc
        if isinstance(reason, TimeoutError):
            raise ImageError(f"{url} took more than {timeout_s:g} s; try again later.") from exc
        raise ImageError(f"{url} cannot be fetched ({_said(reason)}); check the address.") from exc
    content.seek(0)
    return content


def serves_frames(url: str, *, timeout_s: float = _ASK_TIMEOUT_S) -> bool:
    """Return whether a server sends a video or a multipart stream; False if it cannot be asked."""
    from http.client import HTTPException

    try:
        with ask(url, timeout_s=timeout_s) as response:
            kind = response.headers.get_content_type()
    except (OSError, HTTPException, ValueError):
        return False
    return bool(kind.startswith("video/") or kind == "multipart/x-mixed-replace")


def ask(url: str, *, timeout_s: float) -> HTTPResponse:
    """Open a URL.

    Args:
        url: an http(s) address.
        timeout_s: limit of everything that is read from the server, the body included. A socket's
            own timeout starts again with each byte, so a slow server could hold it off for ever.

    Raises:
        OSError: it cannot be opened, or the time is over; reading the response may raise it too.
        http.client.HTTPException: the server does not speak HTTP.
        ValueError: it is not a URL.
    """
    import time
    from urllib.request import Request

    request = Request(url, headers={"User-Agent": "edge-classify"})
    opener = _opener(time.monotonic() + timeout_s)
    return cast("HTTPResponse", opener.open(request, timeout=timeout_s))


def _opener(deadline: float) -> OpenerDirector:
    """Return an opener of URLs whose reads end at a moment of `time.monotonic`.

    `http.client` has no hook for this: it reads from `socket.makefile`, so each class below hands
    its own kind of the next one down to `http.client`.
    """
    import io
    import time
    from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
    from urllib.request import HTTPHandler, HTTPSHandler, build_opener

    class UntilDeadline(io.RawIOBase):
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
            return io.BufferedReader(UntilDeadline(self._socket))

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


def _said(reason: Exception | str) -> str:
    """Return an error's reason without its number."""
    return getattr(reason, "strerror", None) or str(reason)
