"""Offline use: the files that the page keeps in the browser, and how it takes a new version."""

import re
import shutil

import pytest

from benchmarks import chromium
from tests.conftest import ROOT
from tests.web.conftest import VIOLATIONS_ARE_ERRORS, bring, use, visit

PHOTOGRAPH = ROOT / "examples" / "chelsea.png"


def test_it_works_offline_once_loaded(browser):
    context = browser.new_context()
    page = context.new_page()
    with chromium.serve() as address:
        visit(page, address)
        page.wait_for_selector("text=Works offline from now on.")
    visit(page, address)  # the server is down
    bring(page, "photograph.png", PHOTOGRAPH.read_bytes())
    assert page.inner_text("#best .label") == "cat"
    use(page, precision="float32")
    assert "cnn-float32" in page.inner_text("#facts")
    page.click("[aria-label='Sample: truck']")
    page.wait_for_selector("#best .label:text('truck')")
    context.close()


def test_another_network_is_loaded_once_it_is_chosen_and_then_kept(browser):
    """It is as large as the rest of the page, so only a user who chooses it loads it."""
    context = browser.new_context()
    page = context.new_page()
    requested = []
    context.on("request", lambda request: requested.append(request.url))
    with chromium.serve() as address:
        visit(page, address)
        page.wait_for_selector("text=Works offline from now on.")
        assert [url for url in requested if "cnn-float32" in url]
        assert [url for url in requested if "resnet18" in url] == []
        page.evaluate("document.getElementById('offline').textContent = ''")
        use(page, network="resnet18")
        assert "resnet18-int8" in page.inner_text("#facts")
        page.wait_for_selector("text=Works offline from now on.")
        visit(page, address)  # without choosing it
        page.wait_for_selector("text=Works offline from now on.")
    visit(page, address)  # the server is down
    use(page, network="resnet18")
    bring(page, "photograph.png", PHOTOGRAPH.read_bytes())
    assert page.inner_text("#best .label") == "cat"
    context.close()


def test_a_model_that_loads_at_the_second_attempt_is_kept_too(browser, site):
    page = browser.new_page()
    page.route("**/cnn-int8-*.tflite", lambda route: route.abort(), times=1)
    page.goto(site)
    page.wait_for_selector("#best .label:text('No result')")
    page.click("[aria-label='Sample: truck']")
    page.wait_for_selector("#best .label:text('truck')")
    page.wait_for_selector("text=Works offline from now on.")
    page.close()


def test_the_page_requests_nothing_from_other_hosts(browser, site):
    page = browser.new_page()
    requested = []
    page.on("request", lambda request: requested.append(request.url))
    visit(page, site)
    page.wait_for_selector("text=Works offline from now on.")
    assert len(requested) > 5
    assert [url for url in requested if not url.startswith((site, "blob:", "data:"))] == []
    page.close()


def test_the_browser_blocks_requests_to_other_hosts(browser, site):
    page = browser.new_page()
    blocked = []
    page.on("pageerror", lambda error: blocked.append(error.message))
    page.add_init_script(VIOLATIONS_ARE_ERRORS)
    visit(page, site)
    assert blocked == []
    for attempt in (
        "fetch('http://127.0.0.2:9/', {method: 'POST', body: 'image'}).catch(() => 0)",
        "new Promise(done => Object.assign(new Image(), {onerror: done, src: '//127.0.0.2:9/x'}))"
        ".then(() => 0)",
        "navigator.sendBeacon('http://127.0.0.2:9/', 'image') && 0",
    ):
        page.evaluate(attempt)
    page.wait_for_timeout(200)
    assert [sentence.split()[0] for sentence in blocked] == [
        "connect-src",
        "img-src",
        "connect-src",
    ]
    page.close()


@pytest.fixture
def copy(monkeypatch, tmp_path):
    """A copy of the built page, which the server serves instead and the test may change."""
    folder = tmp_path / "dist"
    shutil.copytree(chromium.DIST, folder)
    monkeypatch.setattr(chromium, "DIST", folder)
    return folder


def publish(folder, title):
    """Publish a new version of the page, whose script writes its name into the title."""
    page = folder / "index.html"
    [script] = re.findall(r'src="\./assets/(index-[^"]+)"', page.read_text())
    new = f"index-{title}.js"
    code = (folder / "assets" / script).read_text()
    (folder / "assets" / new).write_text(f"document.title = {title!r};{code}")
    page.write_text(page.read_text().replace(script, new))
    return folder / "assets" / new


def test_a_new_version_is_used_at_once_and_kept(browser, playwright, copy):
    context = browser.new_context()
    page = context.new_page()
    with chromium.serve() as address:
        visit(page, address)
        page.wait_for_selector("text=Works offline from now on.")
        publish(copy, "second")
        visit(page, address)
        assert page.title() == "second"
        page.wait_for_selector("text=Works offline from now on.")
    visit(page, address)  # the server is down
    assert page.title() == "second"
    context.close()


def test_an_incomplete_new_version_leaves_the_previous_one(browser, copy):
    context = browser.new_context()
    page = context.new_page()
    with chromium.serve() as address:
        visit(page, address)
        page.wait_for_selector("text=Works offline from now on.")
        publish(copy, "second").unlink()
        page.goto(address)
        assert page.inner_text("#best .label") == "Loading…"
    visit(page, address)  # the server is down
    assert page.title() == "edge-classify"
    bring(page, "photograph.png", PHOTOGRAPH.read_bytes())
    assert page.inner_text("#best .label") == "cat"
    context.close()


def test_two_copies_on_one_host_keep_their_own_files(browser, copy):
    """Neither copy deletes the files of the other."""
    inner = copy / "inner"
    shutil.copytree(copy, inner)
    context = browser.new_context()
    page = context.new_page()
    with chromium.serve() as address:
        publish(inner, "inner")
        for where in (address, f"{address}inner/", address):
            visit(page, where)
            page.wait_for_selector("text=Works offline from now on.")
    visit(page, f"{address}inner/")  # the server is down
    assert page.title() == "inner"
    visit(page, address)
    assert page.title() == "edge-classify"
    context.close()
