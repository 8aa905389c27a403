"""The tables of a small session that was really measured."""

import copy
import re

import pytest

from edge_runtime.benchmark.images import find_images
from edge_runtime.benchmark.pipeline import Setting
from edge_runtime.benchmark.run import run
from edge_runtime.benchmark.session import Plan
from edge_runtime.benchmark.table import to_text
from edge_runtime.inference import shipped
from tests.conftest import GOLDEN

TINY = str(GOLDEN / "logits.tflite")


@pytest.fixture(scope="module")
def measured():
    settings = [Setting(TINY), Setting(TINY, batch=4), Setting("nothing", threads=2)]
    plan = Plan(settings, find_images([], print), calls=20, cold_starts=1, sustained_s=0.1)
    return run(plan)


@pytest.fixture
def session(measured):
    return copy.deepcopy(measured)


def block(text: str, title: str) -> list[str]:
    [found] = [b for b in text.split("\n\n") if b.startswith(title)]
    return found.splitlines()


def test_there_is_a_table_for_each_question(session):
    text = to_text(session)
    titles = ["Model alone", "From file", "Time relative", "Cold start", "Sustained", "Latency:"]
    assert [text.index(title) for title in titles] == sorted(text.index(t) for t in titles)
    assert text.startswith(session.environment.lines()[0])
    assert "INTERRUPTED" not in text


def test_columns_are_aligned(session):
    _, header, first, second, _ = block(to_text(session), "Model alone")
    assert header.split()[:5] == ["model", "delegate", "threads", "batch", "delegated"]
    assert len(header) == len(first) == len(second)
    assert header.index("batch") + len("batch") == re.search(r" 4 ", second).end() - 1


def test_tables_show_the_settings_that_differ(session):
    _, header, *rows = block(to_text(session), "From file")
    assert header.split()[:3] == ["model", "batch", "decode"]
    assert len(rows) == 2


def test_a_row_that_failed_later_shows_its_figures_and_the_error(session):
    session.rows[1].error = "It broke later on."
    lines = block(to_text(session), "Model alone")
    assert re.search(r"( +[\d.,]+){3} +It broke later on\.$", lines[3])
    names = ", ".join(shipped.models())
    assert lines[4].endswith(
        f"There is no model nothing; expected a .tflite file or one of {names}."
    )


def test_models_with_a_threshold_have_a_line(session):
    assert "accepts" not in to_text(session)
    default = {
        "threshold": 0.5,
        "measured_on": "80 images",
        "images": 80,
        "accepted": 76,
        "wrong": 2,
    }
    for row in session.rows[:2]:  # the same model in two settings
        row.acceptance = default
    line = f"{TINY} accepts scores from 0.500: 95.0% of 80 images, 2.6% wrong among them."
    assert to_text(session).split("\n\n")[-2] == line


def test_an_interrupted_run_is_marked(session):
    session.interrupted = True
    session.rows[0].cold *= 3
    assert "medians of 3 processes" in to_text(session)
    assert "INTERRUPTED: the results below are incomplete." in to_text(session)


def test_headings_are_bold_on_a_terminal_and_nothing_else_changes(session):
    bold = to_text(session, bold=True)
    assert "\033[1mCold start" in bold
    assert re.sub(r"\033\[\dm", "", bold) == to_text(session)
