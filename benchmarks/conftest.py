"""Options of `pytest benchmarks`."""

from __future__ import annotations

import pytest

from train.startup import start

start("export")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that leaves out other runtimes."""
    parser.addoption("--no-peers", action="store_true", help="time only our runtime")
