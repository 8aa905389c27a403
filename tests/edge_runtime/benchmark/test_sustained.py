import time

import pytest

from edge_runtime.benchmark.sustained import sustain


class Device:
    """Something that takes a while, and longer the longer it runs."""

    def __init__(self, slower: float = 1.0, *, interrupted_after_s: float = 1e9) -> None:
        self.begun = time.perf_counter()
        self.slower, self.interrupted_after_s = slower, interrupted_after_s

    def __call__(self) -> int:
        age = time.perf_counter() - self.begun
        if age > self.interrupted_after_s:
            raise KeyboardInterrupt
        time.sleep(0.0002)
        return round(100_000 * (self.slower if age > 0.5 else 1.0))


@pytest.mark.parametrize(
    ("slower", "drift"),
    [
        (1.0, "steady"),
        (1.03, "steady"),  # a shared machine's whim
        (1.2, "slower at the end"),
        (0.8, "faster at the end"),
    ],
)
def test_drift(slower, drift):
    run = sustain(Device(slower), 1.0)
    assert run.drift == drift
    assert run.complete
    assert run.seconds == pytest.approx(1.0, abs=0.2)
    assert len(run.tenths_us) == 10
    assert (run.tenths_us[0], run.tenths_us[-1]) == (100, pytest.approx(100 * slower))
    assert run.ends.ratio == pytest.approx(slower)
    assert run.calls > 500


def test_slow_calls_fill_the_time_and_no_more():
    run = sustain(lambda: time.sleep(0.01) or 10_000_000, 1.0)
    assert 60 <= run.calls <= 101
    assert run.seconds < 1.2


def test_too_few_calls_tell_nothing():
    assert sustain(lambda: time.sleep(0.01) or 1, 0.3) is None


def test_of_a_very_long_run_the_first_seconds_are_kept_too():
    assert sustain(Device(interrupted_after_s=6.5), 3600.0).seconds > 6


def test_an_interruption_leaves_what_there_is():
    run = sustain(Device(interrupted_after_s=0.3), 1.0)
    assert not run.complete
    assert run.seconds < 0.6
    assert len(run.tenths_us) == 10


def test_an_early_interruption_leaves_nothing():
    with pytest.raises(KeyboardInterrupt):
        sustain(Device(interrupted_after_s=0.0), 1.0)
