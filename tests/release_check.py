"""Check that a release is ready: the versions agree, and the built page classifies a sample.

    make release-check

It builds and tries the wheel first (`tests/wheel-check`) and builds the page. If all is well, the
last lines are the commands that tag the release.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from benchmarks import chromium
from edge_runtime.inference import shipped
from tests.conftest import ROOT

SAMPLE = shipped.samples()["ship"]


def main() -> int:
    """Check version and page, print what to do next, and return the exit code."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    tag = f"v{version}"
    heading = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    if heading is None or heading[1] != version:
        found = heading[1] if heading else "none"
        print(f"pyproject.toml has version {version}, but CHANGELOG.md begins with {found}.")
        return 1
    here = git("tag", "--points-at", "HEAD")
    if others := [name for name in here if re.fullmatch(r"v\d.*", name) and name != tag]:
        print(f"pyproject.toml has version {version}, but this commit has the tag {others[0]}.")
        return 1
    print(f"version {version} in pyproject.toml and CHANGELOG.md")

    missing = try_page()
    if missing:
        print(f"The page is not tried: {missing}. Do not tag before it is.")
    elif git("tag", "--list", tag) and tag not in here:
        print(f"The tag {tag} is on another commit; raise the version before the next release.")
    elif not here:
        print(f"Tag the release with:\n  git tag -a {tag} -m 'edge-classify {version}'")
        print(f"  git push origin {tag}")
    return 0


def git(*arguments: str) -> list[str]:
    """Return the lines that git prints; none if this is no git checkout."""
    command = ["git", "-C", ROOT, *arguments]
    return subprocess.run(command, capture_output=True, text=True).stdout.split()


def try_page() -> str | None:
    """Serve the built page and let it classify a sample in Chromium.

    Returns:
        What is missing for that, or None if the page was tried.

    Raises:
        playwright.sync_api.Error: the page does not load or does not classify.
        AssertionError: its first class is another one, or it reports an error.
    """
    if not (chromium.DIST / "index.html").exists():
        return "it is not built, which requires Node.js"
    if chromium.CHROMIUM is None:
        return "chromium is not installed (apt-get install chromium)"
    from playwright.sync_api import expect, sync_playwright

    with (
        chromium.serve() as address,
        sync_playwright() as playwright,
        chromium.launch(playwright, *chromium.NO_GPU) as browser,
    ):
        page = browser.new_page()
        errors: list[object] = []
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(address)
        page.wait_for_selector(chromium.RESULT, state="attached")
        page.set_input_files("#files", SAMPLE)
        expect(page.locator("#spoken")).to_have_text(re.compile(f"^{SAMPLE.name}"), timeout=30_000)
        [first, *_] = page.eval_on_selector_all("#bars li", "items => items.map(i => i.title)")
        assert first.startswith(SAMPLE.stem), f"{SAMPLE.name} is classified as {first}"
        assert errors == [], errors
        size_mb = sum(p.stat().st_size for p in chromium.DIST.rglob("*") if p.is_file()) / 1e6
    print(f"the page ({size_mb:.1f} MB) classifies {SAMPLE.name} as {first}")
    return None


if __name__ == "__main__":
    sys.exit(main())
