"""Headless Chromium with the built page. If one of them is missing, tests are skipped."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from benchmarks import chromium
from tests.conftest import ROOT

PHOTOGRAPH = ROOT / "examples" / "chelsea.png"
VIOLATIONS_ARE_ERRORS = """addEventListener('securitypolicyviolation', event => {
    throw new Error(`${event.violatedDirective} forbids ${event.blockedURI}`);
});"""


@pytest.fixture(scope="package")
def playwright():
    """Playwright's API, if everything that drives the page is there."""
    api = pytest.importorskip("playwright.sync_api", reason="no Playwright; run `make test`")
    if chromium.CHROMIUM is None:
        pytest.skip("no Chromium; run `apt-get install chromium`")
    if not (chromium.DIST / "index.html").exists():
        pytest.skip("the page is not built (no web/dist); run `make web`, which needs Node.js")
    with api.sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="package")
def site():
    with chromium.serve() as address:
        yield address


@pytest.fixture(scope="package")
def browser(playwright):
    with chromium.launch(playwright, *chromium.NO_GPU) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(browser, site):
    """The page after its first result. Tests leave it with the model that it started with."""
    context = browser.new_context()
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.add_init_script(VIOLATIONS_ARE_ERRORS)
    visit(page, site)
    yield page
    context.close()
    assert errors == []


def visit(page, address):
    page.goto(address)
    page.wait_for_selector(chromium.RESULT, state="attached")


def png(image, **options) -> bytes:
    """Encode an array or a Pillow image."""
    stream = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(stream, options.pop("format", "PNG"), **options)
    return stream.getvalue()


def bring(page, name, data, mime="image/png"):
    """Choose an image file and wait for its result."""
    page.evaluate("document.getElementById('spoken').textContent = ''")
    page.set_input_files("#files", {"name": name, "mimeType": mime, "buffer": data})
    from playwright.sync_api import expect

    expect(page.locator("#spoken")).to_have_text(re.compile(f"^{re.escape(name)}"), timeout=30_000)


def scores(page) -> dict[str, float]:
    """Return the score of every class on the page, in full precision."""
    titles = page.eval_on_selector_all("#bars li", "items => items.map(item => item.title)")
    return {label: float(score) for label, score in (title.rsplit(" ", 1) for title in titles)}


def seen(page):
    """Return the pixels that the network sees: uint8 (H, W, 3), RGB, 0-255."""
    width, height, data = page.evaluate(
        "() => { const c = document.getElementById('seen');"
        " return [c.width, c.height,"
        " [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]]; }"
    )
    return np.array(data, np.uint8).reshape(height, width, 4)[:, :, :3]


def use(page, **choice):
    """Choose a network, precision or accelerator, and wait for its result."""
    for name, value in choice.items():
        option = page.locator(f"input[name={name}][value={value}]")
        if option.is_checked():
            continue
        page.evaluate("document.getElementById('spoken').textContent = ''")
        option.check(force=True)
        page.wait_for_selector(chromium.RESULT, state="attached", timeout=60_000)
