"""A clock that the tests move, so that no result depends on the load of the machine."""

from __future__ import annotations

import pytest


class ManualClock:
    """A clock in seconds that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
