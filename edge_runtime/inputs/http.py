"""The HTTP client: fetches images and asks servers whether they send frames.

A request, with its redirects, runs in a thread of its own. So the caller waits no longer than its
limit, even if the look-up of a name or a server that sends a byte now and then takes longer.

Uses urllib3, and imports it inside functions because local images do not need it. Proxies come
from `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`. Certificates come from
`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` or `SSL_CERT_FILE`, otherwise from the system.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from edge_runtime.errors import ImageError
from edge_runtime.inputs.containers import FIRST_BYTES, is_video
from edge_runtime.inputs.urls import Address, address, keeps_login, shown

if TYPE_CHECKING:
    import socket

    from urllib3 import BaseHTTPResponse, PoolManager

Kind = Literal["image", "video", "live"]  # a video has an end, a live stream has none
_T = TypeVar("_T")

MAX_CONTENT_BYTES = 64 << 20  # largest image file that is read into memory
TIMEOUT_S = 30.0  # of everything that concerns one URL
ASK_TIMEOUT_S = 10.0  # of these, for asking what it is if its path does not tell
_BLOCK_BYTES = 1 << 16
_MAX_REDIRECTS = 10
_REDIRECTS = (301, 302, 303, 307, 308)


def open_url(url: str, *, timeout_s: float = TIMEOUT_S) -> BinaryIO:
    """Fetch an image file into memory.

    Args:
        url: an http(s) address, also with a login as in http://user:password@host/image.png.
        timeout_s: limit of everything: name look-up, every address, redirects and the download.

    Raises:
        ImageError: it cannot be fetched, takes too long, or exceeds `MAX_CONTENT_BYTES`.
    """

    def fetch(limit: _Limit) -> BinaryIO:
        content = BytesIO()
        with _response(url, limit) as response:
            for block in response.stream(_BLOCK_BYTES):
                limit.left_s()
                content.write(block)
                if content.tell() > MAX_CONTENT_BYTES:
                    raise ImageError(
                        f"{shown(url)} is larger than {MAX_CONTENT_BYTES >> 20} MiB; "
                        f"shrink the image first."
                    )
        content.seek(0)
        return content

    return _in_time(fetch, url, timeout_s)


def served_kind(url: str, *, timeout_s: float = ASK_TIMEOUT_S) -> Kind:
    """Ask a server what a URL is; it counts as an image if the server cannot be asked.

    The server's Content-Type decides. If that names neither an image nor a video, the first bytes
    decide. A video without a length is live.

    Args:
        url: an http(s) address.
        timeout_s: limit of everything.
    """

    def ask(limit: _Limit) -> Kind:
        with _response(url, limit) as response:
            kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            if kind == "multipart/x-mixed-replace":
                return "live"
            if kind.startswith(("image/", "text/")):
                return "image"
            if not (kind.startswith("video/") or is_video(response.read(FIRST_BYTES))):
                return "image"
            return "video" if "Content-Length" in response.headers else "live"

    try:
        return _in_time(ask, url, timeout_s)
    except ImageError:  # whoever fetches it meets the same error and reports it
        return "image"


class _Limit:
    """The time that a request may take, and its end from outside."""

    def __init__(self, timeout_s: float) -> None:
        self._end = time.monotonic() + timeout_s
        self._lock = Lock()
        self._sockets: list[socket.socket] = []
        self._over = False

    def left_s(self) -> float:
        """Return the seconds left.

        Raises:
            TimeoutError: none is left, or nobody waits for the request any more.
        """
        left_s = self._end - time.monotonic()
        if left_s <= 0 or self._over:
            raise TimeoutError
        return left_s

    def connected(self, connection: socket.socket) -> None:
        """Note a connection, which `give_up` ends."""
        with self._lock:
            # A duplicate, because TLS takes the connection over and leaves this object without.
            self._sockets.append(connection.dup())
        self.left_s()

    def give_up(self) -> None:
        """End what still waits for a server."""
        import socket

        with self._lock:
            self._over = True
            for connection in self._sockets:
                with suppress(OSError), connection:
                    connection.shutdown(socket.SHUT_RDWR)
            self._sockets.clear()


def _in_time(work: Callable[[_Limit], _T], url: str, timeout_s: float) -> _T:
    """Return what `work` returns, or leave it to its thread when the time is over.

    Raises:
        ImageError: it fails, or the time is over.
    """
    from queue import Empty, SimpleQueue

    limit = _Limit(timeout_s)
    outcome: SimpleQueue[tuple[_T | None, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            outcome.put((work(limit), None))
        except BaseException as exc:
            outcome.put((None, exc))

    Thread(target=run, daemon=True, name="edge-http").start()
    try:
        value, error = outcome.get(timeout=timeout_s)
    except Empty:
        value, error = None, TimeoutError()
    finally:
        limit.give_up()
    if error is None:
        return value  # type: ignore[return-value]
    if isinstance(error, ImageError):
        raise error
    from urllib3.exceptions import HTTPError

    from edge_runtime.inputs.http_errors import explain, is_timeout

    if is_timeout(error):
        error = ImageError(f"{shown(url)} took more than {timeout_s:g} s; try again later.")
    elif isinstance(error, (OSError, HTTPError, ValueError)):
        error = ImageError(f"{shown(url)} cannot be fetched {explain(error)}.")
    raise error from None


@contextmanager
def _response(url: str, limit: _Limit) -> Iterator[BaseHTTPResponse]:
    """Open a URL, after its redirects, with Content-Encoding undone.

    Raises:
        ImageError: it redirects to something else than http(s) or too often, the server refuses,
            or it encodes the content in an unknown way.
        OSError, urllib3.exceptions.HTTPError: the server cannot be reached or does not answer.
        ValueError: it is not a URL.
    """
    import urllib3

    at = address(url)
    login = at.login
    for _ in range(_MAX_REDIRECTS + 1):
        with _manager(at, limit) as manager:
            response = manager.request(
                "GET",
                at.url,
                headers=_headers(login),
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=urllib3.Timeout(total=limit.left_s()),
            )
            try:
                target = response.headers.get("Location")
                if response.status not in _REDIRECTS or target is None:
                    _ensure_usable(response, url)
                    yield response
                    return
            finally:
                response.close()
        after = _redirected(url, at, _as_utf8(target))
        login = after.login or (login if keeps_login(at, after) else None)
        at = after
    raise ImageError(
        f"{shown(url)} redirects more than {_MAX_REDIRECTS} times; give the image's own address."
    )


@contextmanager
def _manager(at: Address, limit: _Limit) -> Iterator[PoolManager]:
    """Give what sends one request, through the proxy that the environment names."""
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection

    from edge_runtime.inputs.http_environment import certificates, proxy_for

    class Connection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            limit.connected(connection)
            return connection

    class SecureConnection(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            connection = super()._new_conn()
            limit.connected(connection)
            return connection

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    proxy = proxy_for(at)
    secure = at.scheme == "https" or (proxy is not None and proxy.url.startswith("https:"))
    options: dict[str, Any] = {"ssl_context": certificates()} if secure else {}
    manager = (
        urllib3.PoolManager(**options)
        if proxy is None
        else urllib3.ProxyManager(
            proxy.url,
            proxy_headers=proxy.headers,
            proxy_ssl_context=options.get("ssl_context"),
            **options,
        )
    )
    manager.pool_classes_by_scheme = {"http": Pool, "https": SecurePool}
    with manager:
        yield manager


def _headers(login: bytes | None) -> dict[str, str]:
    headers = {"User-Agent": "edge-classify", "Accept-Encoding": "identity"}
    if login is not None:
        import base64

        headers["Authorization"] = "Basic " + base64.b64encode(login).decode()
    return headers


def _redirected(url: str, at: Address, location: str) -> Address:
    """Return where a redirect leads.

    Args:
        url: what the user named, for the error.
        at: the address that redirects.
        location: its target, which may be relative.

    Raises:
        ImageError: not to an http(s) address.
    """
    from urllib.parse import urljoin

    try:
        target = urljoin(at.url, location)
    except ValueError:  # `address` says why
        target = location
    if target.partition(":")[0].lower() not in ("http", "https"):
        raise ImageError(
            f"{shown(url)} redirects to {shown(target)}, but only http(s) addresses are fetched; "
            f"give the image's own address."
        )
    try:
        return address(target)
    except ValueError as exc:
        raise ImageError(
            f"{shown(url)} redirects to {shown(target)}, which is not a URL ({exc}); "
            f"give the image's own address."
        ) from exc


def _as_utf8(header: str) -> str:
    """Return a header's text, which Python decodes as Latin-1, as the UTF-8 that servers send."""
    return header.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def _ensure_usable(response: BaseHTTPResponse, url: str) -> None:
    """Refuse a response without content, or with content that cannot be decoded.

    Raises:
        ImageError: the server refuses the request, or encodes the content in an unknown way.
    """
    from edge_runtime.inputs.http_errors import refusal

    if not 200 <= response.status < 300:
        raise ImageError(f"{shown(url)} cannot be fetched {refusal(response.status)}.")
    known = {"", "identity", *response.CONTENT_DECODERS}
    encodings = response.headers.get("Content-Encoding", "").split(",")
    for encoding in (name.strip().lower() for name in encodings):
        if encoding not in known:
            raise ImageError(
                f"{shown(url)} comes with the Content-Encoding {encoding}, which is not "
                f"supported; let the server send it without one."
            )
