"""Options of `pytest benchmarks`."""

from __future__ import annotations

import pytest

from train.startup import start

start("export")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let other runtimes be left out."""
    parser.addoption("--no-peers", action="store_true", help="time our runtime alone")
