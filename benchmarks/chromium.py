"""Serve the built page of `web/`, and start headless Chromium for it.

The tests of the page use the same server and browser as `benchmarks.browser`.
"""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

DIST = Path(__file__).parents[1] / "web" / "dist"
CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NO_GPU = ("--disable-gpu",)
SOFTWARE_GPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")

# With these headers a page is cross-origin isolated, and its clock has a resolution of 5 us instead
# of 100 us.
_ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
RESULT = "#spoken:not(:empty)"  # selector of the result that the page shows for an image


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for many files, as real hosts do

    def __init__(self, *args: Any, headers_too: dict[str, str], **kwargs: Any) -> None:
        self._headers_too = headers_too
        super().__init__(*args, **kwargs)

    def end_headers(self) -> None:
        for name, value in self._headers_too.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    """A server that also closes, at its shutdown, the connections that browsers keep open."""

    def __init__(self, *args: Any) -> None:
        self._connections: list[socket.socket] = []
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.append(request)
        super().process_request(request, client_address)

    def shutdown(self) -> None:
        super().shutdown()
        for connection in self._connections:
            with suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def serve(*, isolated: bool = False) -> Iterator[str]:
    """Serve the built page as a static host does; yield its address.

    Args:
        isolated: add the headers that make the page cross-origin isolated.
    """
    headers = _ISOLATED if isolated else {}
    handler = partial(_Handler, directory=str(DIST), headers_too=headers)
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


@contextmanager
def launch(playwright: Any, *flags: str) -> Iterator[Any]:
    """Start headless Chromium with a new profile; yield Playwright's browser.

    Args:
        playwright: Playwright's entry point.
        flags: more flags for the command line of Chromium.
    """
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
    try:
        yield browser
    finally:
        browser.close()
