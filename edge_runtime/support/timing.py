"""Time functions, and decide which of two is faster.

Functions that are compared are timed interleaved, round by round, so that a slow moment of the
machine affects all of them. This file imports numpy and the standard library only, and knows
nothing about models.

    times = measure({"a": first, "b": second})
    compare_times(times["a"], times["b"]).verdict  # says whether b is faster or slower than a
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["faster", "slower", "indistinguishable", "too few calls to tell"]

MARGIN = 0.01  # smaller differences do not matter in practice and are often only noise
_LEVEL = 0.95
_NORMAL_QUANTILE = 1.96  # two-sided quantile of the standard normal distribution for that level
_RESAMPLES = 1000
_AT_ONCE = 1 << 20  # values resampled at a time, which take 24 MiB
# Times of neighbouring calls are correlated, so blocks of whole stretches are resampled: a moving
# block bootstrap (Kuensch 1989, Ann. Statist. 17, 1217-1241).
_BLOCKS = 50
FEWEST_STRETCHES = 6  # fewer allow no 95 % interval


@dataclass(frozen=True, slots=True)
class Summary:
    """Percentiles of the time of one call, with the 95 % interval of the median."""

    p50_us: float
    p90_us: float
    p95_us: float
    p99_us: float
    p50_low_us: float
    p50_high_us: float
    calls: int


@dataclass(frozen=True, slots=True)
class TimeRatio:
    """The time of one function divided by that of another, with its 95 % interval and verdict."""

    ratio: float
    low: float
    high: float
    verdict: Verdict


def measure(
    functions: Mapping[str, Callable[[], object]], *, rounds: int = 1000, warm_up: int = 50
) -> dict[str, NDArray[np.int64]]:
    """Time every call of some functions, interleaved.

    Each round calls every function once; the first function changes from round to round. The
    garbage collector is disabled during the measurement.

    Args:
        functions: the functions to call, by name.
        rounds: rounds that are timed.
        warm_up: rounds before them, whose times are discarded.

    Returns:
        The times of each function by name: int64 (rounds,), nanoseconds. Equal indices belong to
        the same round.

    Raises:
        ValueError: there are no functions or no rounds.
    """
    if not functions or rounds < 1:
        raise ValueError(f"Expected functions and rounds, but got {len(functions)} and {rounds}.")
    calls = list(functions.values())
    times = np.empty((len(calls), warm_up + rounds), np.int64)
    clock = time.perf_counter_ns
    collecting = gc.isenabled()
    gc.disable()
    try:
        for round_ in range(warm_up + rounds):
            for turn in range(len(calls)):
                which = (round_ + turn) % len(calls)
                call = calls[which]
                started = clock()
                call()
                times[which, round_] = clock() - started
    finally:
        if collecting:
            gc.enable()
    return dict(zip(functions, times[:, warm_up:], strict=True))


def summarize(times_ns: NDArray[np.int64], *, stretch: int = 1, seed: int = 0) -> Summary:
    """Return the percentiles of the times of some calls.

    Args:
        times_ns: integer (N,), nanoseconds, in the order of the calls.
        stretch: number of consecutive calls that are correlated, for example because the model
            was loaded once for all of them. The interval takes this correlation into account.
        seed: random seed of the bootstrap.

    Raises:
        ValueError: there are no times.
    """
    if len(times_ns) == 0:
        raise ValueError("Expected at least one time, but got none.")
    p50, p90, p95, p99 = np.percentile(times_ns, (50, 90, 95, 99)) / 1000
    low, high = (us / 1000 for us in _median_interval(times_ns, stretch, seed))
    return Summary(
        p50_us=float(p50),
        p90_us=float(p90),
        p95_us=float(p95),
        p99_us=float(p99),
        p50_low_us=low,
        p50_high_us=high,
        calls=len(times_ns),
    )


def compare_times(
    base_ns: NDArray[np.int64],
    other_ns: NDArray[np.int64],
    *,
    margin: float = MARGIN,
    stretch: int = 1,
    seed: int = 0,
) -> TimeRatio:
    """Say whether `other` is slower or faster than `base`, both measured in the same rounds.

    The ratio is the median of the ratios of all rounds, because a slow moment of the machine
    affects both times of a round. `other` is slower or faster if the whole 95 % interval of the
    ratio lies beyond `margin`. Otherwise the two are indistinguishable: to see a smaller
    difference, measure more rounds, or stop other programs. Fewer than six stretches are too few
    to tell, because they allow no 95 % interval.

    Args:
        base_ns: integer (rounds,), nanoseconds, as `measure` returns them.
        other_ns: integer (rounds,), nanoseconds, in the same rounds.
        margin: fraction by which two times may differ and still count as equal.
        stretch: number of consecutive rounds that are correlated, see `summarize`. The time of a
            model depends on where its weights lie in memory, by a percent or more for a large
            model. So models that are compared should be loaded several times.
        seed: random seed of the bootstrap.

    Raises:
        ValueError: the two differ in length, or there are no times.
    """
    if len(base_ns) != len(other_ns) or len(base_ns) == 0:
        raise ValueError(
            f"Expected times of the same rounds, but got {len(base_ns)} and {len(other_ns)}."
        )
    ratios = other_ns / base_ns
    low, high = _median_interval(ratios, stretch, seed)
    verdict: Verdict = "indistinguishable"
    if len(ratios) < FEWEST_STRETCHES * stretch:
        verdict = "too few calls to tell"
    elif low > 1 + margin:
        verdict = "slower"
    elif high < 1 / (1 + margin):
        verdict = "faster"
    return TimeRatio(float(np.median(ratios)), low, high, verdict)


def _median_interval(values: NDArray[Any], stretch: int, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the median, from a bootstrap of blocks of whole stretches.

    If there are few stretches, the bootstrap's interval is too narrow. So the interval is at
    least that between two order statistics of the stretches' medians. That one holds for any number
    of independent values (Hahn and Meeker 1991, Statistical Intervals, 5.2). Fewer than six
    stretches allow no 95 % interval, because the lowest and highest of five values contain the
    median in 15 of 16 cases only. In that case all calls are treated as independent.
    """
    rng = np.random.default_rng(seed)
    count = len(values)
    if count < FEWEST_STRETCHES * stretch:
        stretch = 1
    length = min(count, stretch * max(1, count // (stretch * _BLOCKS)))
    blocks = -(-count // length)
    starts = stretch * rng.integers(0, (count - length) // stretch + 1, (_RESAMPLES, blocks))
    medians = []
    for some in np.array_split(starts, min(_RESAMPLES, -(-_RESAMPLES * count // _AT_ONCE))):
        rows = (some[..., np.newaxis] + np.arange(length)).reshape(len(some), -1)[:, :count]
        medians.append(np.median(values[rows], axis=1))
    tail = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(np.concatenate(medians), (tail, 100 - tail))
    ordered = np.sort([np.median(values[i : i + stretch]) for i in range(0, count, stretch)])
    number = len(ordered)
    rank = max(0, math.floor((number - 1 - _NORMAL_QUANTILE * math.sqrt(number)) / 2))
    return float(min(low, ordered[rank])), float(max(high, ordered[number - 1 - rank]))
