"""The page of `web/` in headless Chromium: how fast, how heavy, how soon.

    python -m benchmarks.browser

wants the page built (`make web`), Debian's `chromium` and the `dev` extra. Tests drive the page
through the same server and the same browser.
"""

from __future__ import annotations

import gzip
import shutil
import socket
import sys
import threading
import time
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

# With these a page is cross-origin isolated, and its clock ticks in 5 us instead of 100.
_ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
ANSWER = "#spoken:not(:empty)"  # what the page says of a picture


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for many files, as hosts do

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
    """One that is gone when it is shut down, with the connections that browsers keep open."""

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
    """Serve the built page as any static host does, at the address that is yielded.

    Args:
        isolated: add the headers that make it cross-origin isolated.
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
    """Start headless Chromium with a fresh profile; yields Playwright's browser."""
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
    try:
        yield browser
    finally:
        browser.close()


def main() -> None:
    """Measure the page and print what it reaches."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None or not (DIST / "index.html").exists():
        sys.exit("benchmarks: expected `chromium` and a built page; install it and run: make web")
    with (
        serve(isolated=True) as address,
        sync_playwright() as playwright,
        launch(playwright, *NO_GPU) as browser,
    ):
        starts_s = []
        for _ in range(5):  # each time with an empty cache
            page = browser.new_page()
            loaded: set[str] = set()
            page.on("response", lambda response, loaded=loaded: loaded.add(response.url))
            before = time.perf_counter()
            page.goto(address)
            page.wait_for_selector(ANSWER, state="attached")
            starts_s.append(time.perf_counter() - before)
            page.close()
        first = sorted(starts_s)[2]
        print(f"Chromium {browser.version}, first answer {first:.2f} s (median of 5)")
        sizes = [_weigh(url.removeprefix(address)) for url in loaded if url.startswith(address)]
        plain, packed = map(sum, zip(*sizes, strict=True))
        print(f"page weight {plain / 1e6:.1f} MB, {packed / 1e6:.1f} MB gzipped")
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector(ANSWER, state="attached")
        for network, precision in (("cnn", "float32"), ("cnn", "int8"), ("resnet18", "int8")) * 3:
            page.check(f"input[value={network}]", force=True)
            page.wait_for_selector(f"#facts:has-text('{network}-')")
            page.check(f"input[value={precision}]", force=True)
            page.wait_for_selector(f"#facts:has-text('{network}-{precision},')")
            page.wait_for_timeout(1000)  # V8 compiles hot code meanwhile
            page.click("#measure")
            page.wait_for_selector("#measure:not(:disabled)", timeout=60_000)
            p50, p95 = page.inner_text("#p50"), page.inner_text("#p95")
            print(f"{network}-{precision}: p50 {p50}, p95 {p95}; {page.inner_text('#facts dd')}")


def _weigh(name: str) -> tuple[int, int]:
    """Return the bytes of one of the page's files, as it is and as a host would compress it."""
    data = (DIST / (name or "index.html")).read_bytes()
    return len(data), min(len(data), len(gzip.compress(data)))


if __name__ == "__main__":
    main()
