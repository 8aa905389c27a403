"""The HTTP client: fetches images and asks servers whether they send frames.

A request, with its redirects, runs in a thread of its own. So the caller waits no longer than its
limit. The look-up of a name, or a server that sends a byte now and then, may take longer.

Uses urllib3, and imports it inside functions because local images do not need it. Proxies come
from `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`. Certificates come from
`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` or `SSL_CERT_FILE`, otherwise from the system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeVar

from edge_runtime.errors import ImageError
from edge_runtime.inputs.containers import FIRST_BYTES, is_video
from edge_runtime.inputs.http_limit import Limit, in_time
from edge_runtime.inputs.urls import Address, address, keeps_login, shown

if TYPE_CHECKING:
    import socket

    from urllib3 import BaseHTTPResponse, PoolManager

Kind = Literal["image", "video", "live"]  # a video has an end, a live stream has none
_T = TypeVar("_T")

MAX_CONTENT_BYTES = 64 << 20  # largest image file that is read into memory
TIMEOUT_S = 30.0  # of everything that concerns one URL
ASK_TIMEOUT_S = 10.0  # part of them: for asking what the URL is if its path does not tell
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

    def fetch(limit: Limit) -> BinaryIO:
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

    return _explained(fetch, url, timeout_s)


def served_kind(url: str, *, timeout_s: float = ASK_TIMEOUT_S) -> Kind:
    """Ask a server what a URL is; it counts as an image if the server cannot be asked.

    The server's Content-Type decides. If that names neither an image nor a video, the first bytes
    decide. A video without a length is live.

    Args:
        url: an http(s) address.
        timeout_s: limit of everything.
    """

    def ask(limit: Limit) -> Kind:
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
        return _explained(ask, url, timeout_s)
    except ImageError:  # whoever fetches it meets the same error and reports it
        return "image"


def _explained(work: Callable[[Limit], _T], url: str, timeout_s: float) -> _T:
    """Return what `work` returns in time.

    Raises:
        ImageError: it fails, or the time is over.
    """
    try:
        return in_time(work, timeout_s)
    except ImageError:
        raise
    except Exception as exc:
        from urllib3.exceptions import HTTPError

        from edge_runtime.inputs.http_errors import explain, is_timeout

        if is_timeout(exc):
            sentence = f"{shown(url)} took more than {timeout_s:g} s; try again later."
        elif isinstance(exc, (OSError, HTTPError, ValueError)):
            sentence = f"{shown(url)} cannot be fetched {explain(exc)}."
        else:
            raise
        raise ImageError(sentence) from None


@contextmanager
def _response(url: str, limit: Limit) -> Iterator[BaseHTTPResponse]:
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
def _manager(at: Address, limit: Limit) -> Iterator[PoolManager]:
    """Yield a manager for one request, through the proxy that the environment names."""
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
