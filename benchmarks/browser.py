"""The command `python -m benchmarks.browser`: load time, size and speed of the page of `web/`.

It needs the built page (`make web`), Debian's `chromium` and the `dev` extra.
"""

from __future__ import annotations

import gzip
import sys
import time

from benchmarks.chromium import CHROMIUM, DIST, NO_GPU, RESULT, launch, serve


def main() -> None:
    """Measure the page, and print the figures."""
    from playwright.sync_api import sync_playwright

    if CHROMIUM is None or not (DIST / "index.html").exists():
        sys.exit("benchmarks: expected chromium and a built page; install chromium, run: make web")
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
            page.wait_for_selector(RESULT, state="attached")
            starts_s.append(time.perf_counter() - before)
            page.close()
        first = sorted(starts_s)[2]
        print(f"Chromium {browser.version}, first result {first:.2f} s (median of 5)")
        sizes = [_weigh(url.removeprefix(address)) for url in loaded if url.startswith(address)]
        plain, packed = map(sum, zip(*sizes, strict=True))
        print(f"page weight {plain / 1e6:.1f} MB, {packed / 1e6:.1f} MB gzipped")
        page = browser.new_page()
        page.goto(address)
        page.wait_for_selector(RESULT, state="attached")
        for network, precision in (("cnn", "float32"), ("cnn", "int8"), ("resnet18", "int8")) * 3:
            page.check(f"input[value={network}]", force=True)
            page.wait_for_selector(f"#facts:has-text('{network}-')")
            page.check(f"input[value={precision}]", force=True)
            page.wait_for_selector(f"#facts:has-text('{network}-{precision},')")
            page.wait_for_timeout(1000)  # time for V8 to compile hot code
            page.click("#measure")
            page.wait_for_selector("#measure:not(:disabled)", timeout=60_000)
            p50, p95 = page.inner_text("#p50"), page.inner_text("#p95")
            print(f"{network}-{precision}: p50 {p50}, p95 {p95}; {page.inner_text('#facts dd')}")


def _weigh(name: str) -> tuple[int, int]:
    """Return the size in bytes of a file of the page, plain and compressed as by a host."""
    data = (DIST / (name or "index.html")).read_bytes()
    return len(data), min(len(data), len(gzip.compress(data)))


if __name__ == "__main__":
    main()
