"""Run for a long time without a pause, to see whether a device slows down as it warms up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from edge_runtime.support.timing import FEWEST_STRETCHES, TimeRatio, Verdict, compare_times

Drift = Literal["steady", "slower at the end", "faster at the end"]

_TENTHS = 10
_WINDOWS, _LONGEST_S = 500, 0.1  # number and maximum duration; the median of each is kept
_FEWEST = FEWEST_STRETCHES * _TENTHS  # fewer windows allow no verdict, see `compare_times`
# The two ends are not interleaved, and the speed of a shared machine changes by a few percent.
# Throttling costs more than ten percent.
MARGIN = 0.05
_DRIFTS: dict[Verdict, Drift] = {
    "indistinguishable": "steady",
    "slower": "slower at the end",
    "faster": "faster at the end",
}


class Sustained(NamedTuple):
    """The result of a long run.

    Attributes:
        seconds: duration of the run.
        calls: number of calls.
        tenths_us: median time per image in each tenth of the run, in microseconds.
        ends: time in the last tenth divided by that in the first, with its 95 % interval.
        drift: what follows from `ends`.
        complete: whether the run lasted as long as planned; False: it was interrupted.
    """

    seconds: float
    calls: int
    tenths_us: tuple[float, ...]
    ends: TimeRatio
    drift: Drift
    complete: bool


def sustain(
    call: Callable[[], int], seconds: float, *, clock: Callable[[], float] = time.perf_counter
) -> Sustained | None:
    """Call a function repeatedly, and compare the first and the last tenth of the run.

    Args:
        call: returns the time that it took in nanoseconds per image.
        seconds: duration of the run.
        clock: returns the current time in seconds.

    Returns:
        The result; None if there were too few calls to compare the first tenth with the last.

    Raises:
        KeyboardInterrupt: the user interrupted the run after too few calls. If there were enough
            calls, the result has `complete` set to False instead.
    """
    started = now = clock()
    series: list[int] = []
    calls = 0
    complete = True
    window_s = min(seconds / _WINDOWS, _LONGEST_S)
    try:
        while now - started < seconds:
            # The end of the current window; slow calls may skip several windows.
            ends = started + (int((now - started) / window_s) + 1) * window_s
            times: list[int] = []
            while not times or now < ends:  # rounding may put the end of the window at now
                times.append(call())
                now = clock()
            series.append(int(statistics.median(times)))
            calls += len(times)
    except KeyboardInterrupt:
        if len(series) < _FEWEST:
            raise
        complete = False
    if len(series) < _FEWEST:
        return None
    tenths = np.array_split(np.array(series), _TENTHS)
    shorter = min(len(tenths[0]), len(tenths[-1]))
    both = compare_times(tenths[0][:shorter], tenths[-1][-shorter:], margin=MARGIN)
    return Sustained(
        seconds=now - started,
        calls=calls,
        tenths_us=tuple(float(np.median(tenth)) / 1000 for tenth in tenths),
        ends=both,
        drift=_DRIFTS[both.verdict],
        complete=complete,
    )
