import gc
import time

import numpy as np
import pytest

from edge_runtime.support.timing import compare_times, measure, summarize


def simulated(rng, rounds: int, slower: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return times of two functions as on a shared machine: it drifts, and some calls stall."""
    drift = 1 + 0.05 * np.sin(np.arange(rounds) / rounds * rng.uniform(3, 12))
    slow_spell = np.where(rng.random(rounds) < 0.02, rng.uniform(1.2, 4, rounds), 1)
    both = 100_000 * drift * slow_spell
    noise = rng.lognormal(0, 0.04, (2, rounds))
    stalls = np.where(rng.random((2, rounds)) < 0.01, 5, 1)
    base, other = (both * noise * stalls * [[1.0], [slower]]).astype(np.int64)
    return base, other


@pytest.mark.parametrize("rounds", [7, 250])
def test_a_function_is_indistinguishable_from_itself(rounds):
    rng = np.random.default_rng(0)
    verdicts = [compare_times(*simulated(rng, rounds)).verdict for _ in range(100)]
    assert sum(v != "indistinguishable" for v in verdicts) <= 5


@pytest.mark.parametrize(
    ("loads", "stretch", "alarms"),
    [(1, 1, range(30, 101)), (1, 400, range(1)), (5, 80, range(1)), (10, 40, range(6))],
)
def test_two_loads_of_a_model_are_indistinguishable(loads, stretch, alarms):
    """If each load has a speed of its own, a few loads are not enough for a verdict."""
    rng = np.random.default_rng(7)
    verdicts = []
    for _ in range(100):
        speeds = np.repeat(rng.normal(1, 0.02, (2, loads)), 400 // loads, axis=1)
        base, other = np.stack(simulated(rng, 400)) * speeds
        verdicts.append(compare_times(base, other, stretch=stretch).verdict)
    told = {"faster", "slower"}
    assert sum(v in told for v in verdicts) in alarms
    assert ("too few calls to tell" in verdicts) == (loads < 6 and stretch > 1)


@pytest.mark.parametrize(("factor", "verdict"), [(1.05, "slower"), (1 / 1.05, "faster")])
def test_a_difference_of_five_percent_is_found(factor, verdict):
    rng = np.random.default_rng(1)
    verdicts = [compare_times(*simulated(rng, 250, factor)).verdict for _ in range(100)]
    assert verdicts.count(verdict) >= 95


@pytest.mark.parametrize("stretch", [1, 25, 120])
def test_the_interval_contains_the_true_ratio(stretch):
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(100):
        comparison = compare_times(*simulated(rng, 250, 1.3), stretch=stretch)
        assert comparison.low <= comparison.ratio <= comparison.high
        hits += comparison.low <= 1.3 <= comparison.high
    assert hits >= 88  # 95 expected; fewer than 88 of 100 happen once in 250 times


def test_differences_within_the_margin_are_ignored():
    base, other = simulated(np.random.default_rng(4), 2000, 1.05)
    assert compare_times(base, other, margin=0.0).verdict == "slower"
    assert compare_times(base, other, margin=0.1).verdict == "indistinguishable"


def test_a_machine_that_jumps_between_two_speeds_does_not_move_the_ratio():
    rng = np.random.default_rng(5)
    for _ in range(20):
        lengths = rng.integers(10, 60, 40)
        speed = np.repeat(rng.permutation([1.0, 1.25] * 20), lengths)[:300]
        noise = rng.lognormal(0, 0.02, (2, 300))
        base, other = (100_000 * speed * noise * [[1.0], [1.05]]).astype(np.int64)
        comparison = compare_times(base, other)
        assert comparison.ratio == pytest.approx(1.05, abs=0.01)
        assert comparison.verdict == "slower"


@pytest.mark.parametrize("stretch", [1, 20])
def test_calls_of_one_stretch_are_treated_as_correlated(stretch):
    """Treated as independent, they would give an interval that is too narrow."""
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(100):
        of_turns = np.repeat(rng.lognormal(0, 0.1, 30), 20)
        times = (100_000 * of_turns * rng.lognormal(0, 0.01, 600)).astype(np.int64)
        summary = summarize(times, stretch=stretch)
        hits += summary.p50_low_us <= 100 <= summary.p50_high_us
    assert hits >= 88 if stretch == 20 else hits < 88


def test_calls_are_interleaved_and_the_first_one_rotates():
    calls = []
    times = measure(
        {name: lambda name=name: calls.append(name) for name in "abc"}, rounds=3, warm_up=3
    )
    assert "".join(calls) == "abcbcacab" * 2
    assert list(times) == ["a", "b", "c"]
    assert all(t.shape == (3,) and t.dtype == np.int64 and (t >= 0).all() for t in times.values())


def test_times_are_nanoseconds():
    times = measure({"sleep": lambda: time.sleep(0.002)}, rounds=5, warm_up=1)["sleep"]
    assert 2_000_000 <= np.median(times) <= 20_000_000


@pytest.mark.parametrize("enabled", [True, False])
def test_the_garbage_collector_is_left_as_it_was(enabled):
    seen = []
    (gc.enable if enabled else gc.disable)()
    try:
        measure({"a": lambda: seen.append(gc.isenabled())}, rounds=1, warm_up=0)
        assert (seen, gc.isenabled()) == ([False], enabled)
    finally:
        gc.enable()


def test_percentiles_are_microseconds():
    summary = summarize(np.arange(1, 1001) * 1000)
    assert (summary.p50_us, summary.p95_us) == (500.5, pytest.approx(950.05))
    assert summary.p50_low_us < summary.p50_us < summary.p50_high_us < summary.p90_us
    assert summary.p99_us > summary.p95_us
    assert summary.calls == 1000


@pytest.mark.parametrize("lengths", [(0, 0), (3, 4)])
def test_nothing_to_compare(lengths):
    with pytest.raises(ValueError, match="same rounds"):
        compare_times(*(np.ones(n, np.int64) for n in lengths))


def test_nothing_to_measure():
    with pytest.raises(ValueError, match="Expected functions"):
        measure({})
    with pytest.raises(ValueError, match="at least one time"):
        summarize(np.array([], np.int64))


def spin(duration_ns: int) -> None:
    started = time.perf_counter_ns()
    while time.perf_counter_ns() - started < duration_ns:
        pass


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_real_calls_of_the_shipped_model():
    """A model against itself is indistinguishable; 5 % more time is found; 100 times each."""
    from edge_runtime import Classifier

    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    with Classifier() as classifier:

        def plain():
            classifier.scores(image)

        extra_ns = int(0.05 * np.median(measure({"a": plain}, rounds=500)["a"]))

        def slower():
            classifier.scores(image)
            spin(extra_ns)

        false_alarms = found = 0
        for seed in range(100):
            times = measure({"a": plain, "again": plain, "slower": slower}, rounds=400)
            same = compare_times(times["a"], times["again"], seed=seed)
            false_alarms += same.verdict != "indistinguishable"
            found += compare_times(times["a"], times["slower"], seed=seed).verdict == "slower"
    assert false_alarms <= 5
    assert found >= 95
