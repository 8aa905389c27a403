"""What keeps the tests independent of the load of the machine."""

from __future__ import annotations

import pytest

from edge_runtime.benchmark import latency


class ManualClock:
    """A clock in seconds that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.fixture(scope="package", autouse=True)
def ample_budget():
    """Let the number of loads depend on the number of calls alone, however slow the loads are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latency, "BUDGET_S", 1e9)
        yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
