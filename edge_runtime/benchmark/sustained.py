"""A long run without a pause: does a device keep its speed as it warms up."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from edge_runtime.support.timing import Comparison, Verdict, compare

Drift = Literal["steady", "slower at the end", "faster at the end"]

_TENTHS = 10
_WINDOWS, _LONGEST_S = 500, 0.1  # of each the median is kept
_FEWEST = 6 * _TENTHS  # for less there is no verdict, see `compare`
# The two ends are not interleaved: a shared machine wanders by a few percent, throttling takes
# more than ten.
MARGIN = 0.05
_DRIFTS: dict[Verdict, Drift] = {
    "indistinguishable": "steady",
    "slower": "slower at the end",
    "faster": "faster at the end",
}


class Sustained(NamedTuple):
    """A long run.

    Attributes:
        seconds: how long it was.
        calls: how many there were.
        tenths_us: the median time of an image in each tenth of the run.
        ends: the last tenth's time over the first's, with its 95 % interval.
        drift: what follows from it.
        complete: whether it was not interrupted.
    """

    seconds: float
    calls: int
    tenths_us: tuple[float, ...]
    ends: Comparison
    drift: Drift
    complete: bool


def sustain(call: Callable[[], int], seconds: float) -> Sustained | None:
    """Call something over and over.

    Args:
        call: returns what it took, nanoseconds an image.

    Returns:
        None where there were too few calls to tell the first tenth from the last.

    Raises:
        KeyboardInterrupt: after too few calls; after more, the result says so.
    """
    begun = now = time.perf_counter()
    series: list[int] = []
    calls = 0
    complete = True
    window_s = min(seconds / _WINDOWS, _LONGEST_S)
    try:
        while now - begun < seconds:
            # The end of the window that the moment lies in; slow calls jump over some.
            ends = begun + (int((now - begun) / window_s) + 1) * window_s
            times = []
            while now < ends:
                times.append(call())
                now = time.perf_counter()
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
    both = compare(tenths[0][:shorter], tenths[-1][-shorter:], margin=MARGIN)
    return Sustained(
        seconds=now - begun,
        calls=calls,
        tenths_us=tuple(float(np.median(tenth)) / 1000 for tenth in tenths),
        ends=both,
        drift=_DRIFTS[both.verdict],
        complete=complete,
    )
