import pytest

from edge_runtime.benchmark.sustained import sustain


class Device:
    """A device whose calls take 0.2 ms of a test's clock; after 0.5 s its speed changes."""

    def __init__(self, clock, slower: float = 1.0, *, interrupted_after_s: float = 1e9) -> None:
        self.clock, self.started = clock, clock()
        self.slower, self.interrupted_after_s = slower, interrupted_after_s

    def __call__(self) -> int:
        age = self.clock() - self.started
        if age > self.interrupted_after_s:
            raise KeyboardInterrupt
        self.clock.advance(0.0002)
        return round(100_000 * (self.slower if age > 0.5 else 1.0))


@pytest.mark.parametrize(
    ("slower", "drift"),
    [
        (1.0, "steady"),
        (1.03, "steady"),  # the noise of a shared machine
        (1.2, "slower at the end"),
        (0.8, "faster at the end"),
    ],
)
def test_drift(clock, slower, drift):
    run = sustain(Device(clock, slower), 1.0, clock=clock)
    assert run.drift == drift
    assert run.complete
    assert run.seconds == pytest.approx(1.0, abs=0.001)
    assert len(run.tenths_us) == 10
    assert (run.tenths_us[0], run.tenths_us[-1]) == (100, pytest.approx(100 * slower))
    assert run.ends.ratio == pytest.approx(slower)
    assert run.calls == pytest.approx(5000, abs=1)


def test_slow_calls_fill_the_time_and_no_more(clock):
    run = sustain(lambda: clock.advance(0.01) or 10_000_000, 1.0, clock=clock)
    assert run.calls == pytest.approx(100, abs=1)
    assert run.seconds == pytest.approx(1.0, abs=0.011)


def test_too_few_calls_give_no_result(clock):
    assert sustain(lambda: clock.advance(0.01) or 1, 0.3, clock=clock) is None


def test_a_very_long_run_keeps_its_first_seconds_too(clock):
    run = sustain(Device(clock, interrupted_after_s=6.5), 3600.0, clock=clock)
    assert run.seconds > 6


def test_an_interruption_keeps_what_was_measured(clock):
    run = sustain(Device(clock, interrupted_after_s=0.3), 1.0, clock=clock)
    assert not run.complete
    assert run.seconds == pytest.approx(0.3, abs=0.01)
    assert len(run.tenths_us) == 10


def test_an_early_interruption_leaves_nothing(clock):
    with pytest.raises(KeyboardInterrupt):
        sustain(Device(clock, interrupted_after_s=0.0), 1.0, clock=clock)
