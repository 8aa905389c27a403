"""Local HTTP servers for tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Say nothing of a client that has gone."""


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None], context=None) -> Iterator[str]:
    """Serve on a free local port, with TLS if there is a context; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer(self)

        do_CONNECT = do_GET

        def log_message(self, *args):
            pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        scheme = "http" if context is None else "https"
        yield f"{scheme}://127.0.0.1:{server.server_port}"
        server.shutdown()


def give(
    request: BaseHTTPRequestHandler,
    content: bytes = b"",
    *,
    code: int = 200,
    kind: str = "image/png",
    length: int | None = None,
    **headers: str,
) -> None:
    """Answer a request; `length` is the Content-Length if it is not the content's, -1 for none."""
    request.send_response(code)
    request.send_header("Content-Type", kind)
    if length != -1:
        request.send_header("Content-Length", str(len(content) if length is None else length))
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(content)


def moved(location: str, code: int = 302) -> Callable[[BaseHTTPRequestHandler], None]:
    """Return what answers a request with a redirect."""
    return lambda request: give(request, code=code, Location=location)


def drip_headers(request: BaseHTTPRequestHandler) -> None:
    """Answer with a byte now and then, and never get to the end of the headers."""
    for _ in range(200):
        request.wfile.write(b"X")
        time.sleep(0.05)
