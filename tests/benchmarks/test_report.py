"""The page in headless Chromium without a network, the table and the plot."""

import re
from itertools import combinations

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from benchmarks import accuracy_pass, chromium, report
from benchmarks.peak import share
from benchmarks.report_plot import frontier
from benchmarks.results import Results, Subject
from tests.benchmarks.conftest import CLASSES
from train.dataset import Split


class FixedScores:
    def __init__(self, scores):
        self._scores = iter(scores)

    def scores(self, image):
        return next(self._scores)


@pytest.fixture
def results():
    """Four rows with both figures, one interrupted, and a missing row; int8 flips an image."""
    from pathlib import Path

    from benchmarks.contenders import Contender

    labels = np.arange(20) % 10
    right = np.eye(10, dtype=np.float32)[labels]
    other = right.copy()
    other[3] = np.roll(other[3], 2)
    found = Results()
    subjects = {
        Subject("cnn", "float32", "edge_runtime", "xnnpack"): (right, 300, 2_000_000),
        Subject("cnn", "int8", "edge_runtime", "xnnpack"): (other, 100, 500_000),
        Subject("cnn", "int8", "ONNX Runtime"): (other, 180, 520_000),
        Subject("cnn", "int8", "OpenVINO"): (right, 120, 600_000),
    }
    images = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    accuracy_pass.run(
        [
            Contender(subject, Path(), size, "", lambda scores=scores: FixedScores(scores))
            for subject, (scores, _, size) in subjects.items()
        ],
        found,
        Split(images, labels, ("",) * 20),
        CLASSES,
        say=lambda line: None,
    )
    base = "cnn-int8, edge_runtime, xnnpack"
    for subject, (_, us, _) in subjects.items():
        row = found.rows[subject.name]
        row.macs = 38_896_896
        row.latency = {
            **dict.fromkeys(("p50_us", "p50_low_us", "p50_high_us", "p90_us", "p99_us"), us),
            **{"p95_us": us + 1, "calls": 100, "complete": us != 180, "against": base},
            **({} if subject.name == base else dict.fromkeys(("ratio", "ratio_low"), us / 100)),
            **({} if subject.name == base else {"ratio_high": us / 100 + 0.01}),
            "verdict": "the reference" if subject.name == base else "slower",
        }
    missing = found.row(Subject("</script><b>x", "any", "edge_runtime", "gpu"))
    missing.reasons = dict.fromkeys(("accuracy", "latency"), "No GPU is here.")
    rates = {"int8_512": 1e12}
    found.peak = {"cnn": {"int8": {"macs_per_s": 1e12, "by": "int8_512", "all": rates}}}
    for row in found.rows.values():
        if row.latency:
            row.latency["of_peak"] = share(row, found.peak["cnn"])
    found.cross_check = [{"name": base, "ours_ms": 0.1, "litert_benchmark_ms": 0.1}]
    found.passes = {
        "latency of cnn": {
            "complete": False,
            "environment": ["A CPU"],
            "disturbed": True,
            "sentence": "Disturbed: other programs kept 1.00 cores busy.",
        }
    }
    return found


def test_nothing_is_fetched(results):
    page = report.html(results)
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", page)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", page)
    assert "</script><b>" not in page  # data must not end the script


def test_no_other_row_beats_the_frontier(results):
    assert frontier(results) == [
        "cnn-int8, edge_runtime, xnnpack",
        "cnn-int8, OpenVINO",
    ]


def test_the_table(results):
    lines = report.markdown(results).splitlines()
    assert len(lines) == 2 + 4
    assert lines[2] == (
        "| cnn int8 | edge_runtime, xnnpack | 500,000 | 95.00% (76.39% to 99.11%) | "
        "+5.00 (-7.91 to +17.00) | 100 (100 to 100) | 101 | 1 | 39% |"
    )
    assert "180 (180 to 180), interrupted | 181 | 1.800 (1.800 to 1.810)" in lines[4]


def test_names_do_not_overlap_in_the_plot():
    crowd = Results()
    for number in range(12):
        row = crowd.row(Subject("cnn", f"precision{number}", "edge_runtime", "xnnpack"))
        row.latency = {"p50_us": 100 + number % 3}
        row.accuracy = {"top1": 0.9, "top1_low": 0.89, "top1_high": 0.91}
        row.size_bytes = 500_000
    figure = report.pareto(crowd)
    figure.draw_without_rendering()
    notes = [t for t in figure.axes[0].texts if t.get_text().startswith("precision")]
    assert len(notes) == 12
    boxes = [Text.get_window_extent(note) for note in notes]
    assert not [1 for one, other in combinations(boxes, 2) if one.overlaps(other)]


def test_the_files(results, tmp_path):
    paths = report.write(results, tmp_path)
    assert [path.name for path in paths] == ["report.html", "report.md", "pareto.png"]
    with Image.open(paths[2]) as image:
        assert image.width > 1000
        assert len(image.convert("RGB").getcolors(1 << 20)) > 100
    assert report.write(Results(), tmp_path) == paths  # empty results are no error


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    if chromium.CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    with (
        api.sync_playwright() as playwright,
        chromium.launch(playwright, *chromium.NO_GPU) as browser,
    ):
        yield browser


@pytest.fixture
def page(browser):
    context = browser.new_context(offline=True)
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    yield page
    context.close()
    assert complaints == []


def test_the_page(page, results, tmp_path):
    page.goto(report.write(results, tmp_path)[0].as_uri())
    warnings = page.inner_text("#warnings")
    assert "“latency of cnn” was interrupted" in warnings
    assert "Disturbed: other programs" in warnings
    assert page.locator("#plot circle").count() == 4
    radius = {
        name: float(page.get_attribute(f"#plot circle[aria-label='{name}']", "r"))
        for name in ("cnn-float32, edge_runtime, xnnpack", "cnn-int8, edge_runtime, xnnpack")
    }
    large, small = radius.values()
    assert large**2 / small**2 == pytest.approx(4)  # as 2,000,000 bytes to 500,000
    page.focus("#plot circle[aria-label='cnn-int8, OpenVINO']")
    assert "p50 120.0 µs" in page.inner_text("#tip")
    page.uncheck("#filters input[value=OpenVINO]")
    assert page.locator("#plot circle").count() == 3
    assert page.locator("#latency tbody tr").count() == 4
    assert "1.800 1.800 to 1.810" in page.inner_text("#latency")
    assert "39 %" in page.inner_text("#latency")
    assert "+5.00" in page.inner_text("#accuracy")
    page.select_option("#chosen", "cnn-int8, ONNX Runtime")
    assert "1 of 20 images" in page.inner_text("#flipped-count")
    assert page.locator("#flipped img").count() == 1
    assert page.evaluate("document.querySelector('#flipped img').naturalWidth") == 32
    cells = page.locator("#confusion tbody tr").nth(3).locator("td").all_inner_texts()
    assert (cells[3], cells[5]) == ("\N{MINUS SIGN}1", "+1")  # a cat became a dog
    assert "</script><b>x" in page.inner_text("#missing")
    assert "A CPU" in page.inner_text("#environment")


def test_the_page_of_nothing(page, tmp_path):
    page.goto(report.write(Results(), tmp_path)[0].as_uri())
    assert "No row with both" in page.locator("#plot").text_content()
    assert page.locator("#latency").count() == 0  # a sentence instead


@pytest.mark.parametrize("width", [390, 1200])
def test_no_wider_than_the_window(page, results, tmp_path, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(report.write(results, tmp_path)[0].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
