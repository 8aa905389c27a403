"""The yardstick: how long things take, and which of two is faster.

What is compared is measured interleaved, round by round, so that a slow moment of the machine
meets all of it alike. Numpy and the standard library only; it knows nothing of models.

    times = measure({"a": first, "b": second})
    compare(times["a"], times["b"]).verdict  # of b against a
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

Verdict = Literal["faster", "slower", "indistinguishable"]

MARGIN = 0.01  # smaller differences are of no practical interest, and within a machine's whims
_LEVEL = 0.95
_NORMAL_QUANTILE = 1.96  # of that level, two-sided
_RESAMPLES = 1000
_AT_ONCE = 1 << 20  # values resampled at a time: 24 MiB
# Neighbouring calls resemble one another, so whole stretches of rounds are resampled: a moving
# block bootstrap (Kuensch 1989, Ann. Statist. 17, 1217-1241).
_BLOCKS = 50
_FEWEST_STRETCHES = 6


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
class Comparison:
    """The time of one thing over that of another, with its 95 % interval."""

    ratio: float
    low: float
    high: float
    verdict: Verdict


def measure(
    functions: Mapping[str, Callable[[], object]], *, rounds: int = 1000, warm_up: int = 50
) -> dict[str, NDArray[np.int64]]:
    """Time every call of some functions, interleaved.

    Each round calls every function once, and begins with another one than the round before. The
    garbage collector rests meanwhile.

    Args:
        functions: by name.
        warm_up: rounds that are thrown away.

    Returns:
        int64 (rounds,), nanoseconds, by name; the same row is the same round.

    Raises:
        ValueError: there is nothing to measure.
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
    """Return the percentiles of some calls' times.

    Args:
        times_ns: integer (N,), nanoseconds, in the order of the calls.
        stretch: how many of them in a row have something in common: they followed one another at
            once, or by the same load of a model. They are alike, and the interval treats them so.

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


def compare(
    base_ns: NDArray[np.int64],
    other_ns: NDArray[np.int64],
    *,
    margin: float = MARGIN,
    stretch: int = 1,
    seed: int = 0,
) -> Comparison:
    """Say whether `other` is slower or faster than `base`, which was measured in the same rounds.

    The ratio is the median of all rounds' ratios: what slows the machine down for some rounds is
    in both times of each. The other is slower or faster, where the ratio's whole 95 % interval
    lies beyond `margin`. A wide interval makes no verdict: measure more rounds, or quieten the
    machine. Nor do fewer than six stretches, of which no 95 % interval can be had.

    Args:
        base_ns: integer (rounds,), nanoseconds, as `measure` returns them.
        other_ns: of the same shape.
        margin: by how much two times may differ and still count as the same.
        stretch: how many rounds in a row have something in common, see `summarize`. Two loads of
            one model differ by where its weights come to lie in the memory, a large one's by a
            percent or more; so what is compared should be loaded several times.

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
    if len(ratios) < _FEWEST_STRETCHES * stretch:
        pass
    elif low > 1 + margin:
        verdict = "slower"
    elif high < 1 / (1 + margin):
        verdict = "faster"
    return Comparison(float(np.median(ratios)), low, high, verdict)


def _median_interval(values: NDArray[Any], stretch: int, seed: int) -> tuple[float, float]:
    """Return the 95 % interval of the median, from the bootstrap of blocks of whole stretches.

    Of few stretches the bootstrap makes too narrow an interval, so it is at least that between
    two order statistics of their medians, which holds for any number of independent ones (Hahn
    and Meeker 1991, Statistical Intervals, 5.2). From under six of them no 95 % can be had so, for
    the lowest and highest of five hold the median in 15 of 16 cases; all calls are then taken for
    independent.
    """
    rng = np.random.default_rng(seed)
    count = len(values)
    if count < _FEWEST_STRETCHES * stretch:
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
