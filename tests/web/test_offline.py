"""What the page keeps in the browser, and how it takes a new version."""

import re
import shutil

import pytest

from benchmarks import browser as chromium
from tests.conftest import ROOT
from tests.web.conftest import VIOLATIONS_ARE_ERRORS, bring, use, visit

PHOTO = ROOT / "examples" / "chelsea.png"


def test_it_works_offline_once_loaded(browser):
    context = browser.new_context()
    page = context.new_page()
    with chromium.serve() as address:
        visit(page, address)
        page.wait_for_selector("text=Works offline from now on.")
    visit(page, address)  # the server has gone
    bring(page, "photo.png", PHOTO.read_bytes())
    assert page.inner_text("#best .label") == "cat"
    use(page, precision="float32")
    assert "cnn-float32" in page.inner_text("#facts")
    page.click("[aria-label='Sample: truck']")
    page.wait_for_selector("#best .label:text('truck')")
    context.close()


def test_another_network_is_loaded_when_it_is_chosen_and_then_kept(browser):
    """It is four times as large as all else: who does not choose it does not pay for it."""
    context = browser.new_context()
    page = context.new_page()
    asked = []
    context.on("request", lambda request: asked.append(request.url))
    with chromium.serve() as address:
        visit(page, address)
        page.wait_for_selector("text=Works offline from now on.")
        assert [url for url in asked if "cnn-float32" in url]
        assert [url for url in asked if "resnet18" in url] == []
        page.evaluate("document.getElementById('offline').textContent = ''")
        use(page, network="resnet18")
        assert "resnet18-int8" in page.inner_text("#facts")
        page.wait_for_selector("text=Works offline from now on.")
        visit(page, address)  # without choosing it
        page.wait_for_selector("text=Works offline from now on.")
    visit(page, address)  # the server has gone
    use(page, network="resnet18")
    bring(page, "photo.png", PHOTO.read_bytes())
    assert page.inner_text("#best .label") == "cat"
    context.close()


def test_a_model_that_came_at_the_second_time_is_kept_too(browser, site):
    page = browser.new_page()
    page.route("**/cnn-int8-*.tflite", lambda route: route.abort(), times=1)
    page.goto(site)
    page.wait_for_selector("#best .label:text('No answer')")
    page.click("[aria-label='Sample: truck']")
    page.wait_for_selector("#best .label:text('truck')")
    page.wait_for_selector("text=Works offline from now on.")
    page.close()


def test_nothing_leaves_the_host(browser, site):
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    visit(page, site)
    page.wait_for_selector("text=Works offline from now on.")
    assert len(asked) > 5
    assert [url for url in asked if not url.startswith((site, "blob:", "data:"))] == []
    page.close()


def test_the_browser_lets_nothing_leave(browser, site):
    page = browser.new_page()
    refused = []
    page.on("pageerror", lambda error: refused.append(error.message))
    page.add_init_script(VIOLATIONS_ARE_ERRORS)
    visit(page, site)
    assert refused == []
    for attempt in (
        "fetch('http://127.0.0.2:9/', {method: 'POST', body: 'picture'}).catch(() => 0)",
        "new Promise(done => Object.assign(new Image(), {onerror: done, src: '//127.0.0.2:9/x'}))"
        ".then(() => 0)",
        "navigator.sendBeacon('http://127.0.0.2:9/', 'picture') && 0",
    ):
        page.evaluate(attempt)
    page.wait_for_timeout(200)
    assert [sentence.split()[0] for sentence in refused] == [
        "connect-src",
        "img-src",
        "connect-src",
    ]
    page.close()


@pytest.fixture
def copy(monkeypatch, tmp_path):
    """A copy of the built page that is served, so that it can be changed."""
    folder = tmp_path / "dist"
    shutil.copytree(chromium.DIST, folder)
    monkeypatch.setattr(chromium, "DIST", folder)
    return folder


def publish(folder, title):
    """Put a new version there: another script, which names itself in the title."""
    page = folder / "index.html"
    [script] = re.findall(r'src="\./assets/(index-[^"]+)"', page.read_text())
    new = f"index-{title}.js"
    code = (folder / "assets" / script).read_text()
    (folder / "assets" / new).write_text(f"document.title = {title!r};{code}")
    page.write_text(page.read_text().replace(script, new))
    return folder / "assets" / new


def test_a_new_version_is_taken_at_once_and_kept(browser, playwright, copy):
    context = browser.new_context()
    page = context.new_page()
    with chromium.serve() as address:
        visit(page, address)
        page.wait_for_selector("text=Works offline from now on.")
        publish(copy, "second")
        visit(page, address)
        assert page.title() == "second"
        page.wait_for_selector("text=Works offline from now on.")
    visit(page, address)  # the server has gone
    assert page.title() == "second"
    context.close()


def test_a_new_version_that_does_not_come_whole_leaves_the_one_before(browser, copy):
    context = browser.new_context()
    page = context.new_page()
    with chromium.serve() as address:
        visit(page, address)
        page.wait_for_selector("text=Works offline from now on.")
        publish(copy, "second").unlink()
        page.goto(address)
        assert page.inner_text("#best .label") == "Loading…"
    visit(page, address)  # the server has gone
    assert page.title() == "edge-classify"
    bring(page, "photo.png", PHOTO.read_bytes())
    assert page.inner_text("#best .label") == "cat"
    context.close()


def test_two_copies_on_one_host_keep_their_own(browser, copy):
    """One copy's files are not the other's to delete."""
    inner = copy / "inner"
    shutil.copytree(copy, inner)
    context = browser.new_context()
    page = context.new_page()
    with chromium.serve() as address:
        publish(inner, "inner")
        for where in (address, f"{address}inner/", address):
            visit(page, where)
            page.wait_for_selector("text=Works offline from now on.")
    visit(page, f"{address}inner/")  # the server has gone
    assert page.title() == "inner"
    visit(page, address)
    assert page.title() == "edge-classify"
    context.close()
