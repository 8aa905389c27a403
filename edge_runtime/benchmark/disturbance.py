"""Detect whether anything else used or slowed the CPU during a measurement.

Other programs took the machine's busy time (/proc/stat, which containers see too) minus the time
of this process. Further causes are the hypervisor, a container's CPU quota, and throttling. What
the operating system does not report is unknown. This file imports the standard library only.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edge_runtime.support.environment import Throttling, read_throttling

# Above these limits a run counts as disturbed. The background work of an idle system stays well
# below the first one. The second is lower, because the hypervisor takes time from the measured
# program itself.
_OTHERS = 0.1  # cores
_STOLEN = 0.05  # cores
_QUOTA = 0.01  # share of the duration
_SHORTEST_S = 0.2  # /proc/stat counts in hundredths of a second


@dataclass(frozen=True, slots=True)
class Conditions:
    """What happened on the machine during a run; None: unknown.

    Attributes:
        seconds: duration of the run.
        own_cores: cores that this process and its children kept busy, on average.
        others_cores: cores that other programs kept busy, on average.
        stolen_cores: cores that the hypervisor withheld, on average.
        quota_s: seconds for which the container's CPU quota stopped its processes.
        throttled: names of what slowed the CPU down.
        load_before: load average over one minute at the start.
        load_after: load average over one minute at the end.
    """

    seconds: float
    own_cores: float | None
    others_cores: float | None
    stolen_cores: float | None
    quota_s: float | None
    throttled: tuple[str, ...]
    load_before: float | None
    load_after: float | None

    @property
    def disturbed(self) -> bool | None:
        """Whether anything disturbed the run; None: unknown."""
        if self._reasons():
            return True
        return None if self.others_cores is None else False

    @property
    def sentence(self) -> str:
        """A sentence that says what disturbed the run, that nothing did, or that it is unknown."""
        reasons = self._reasons()
        if reasons:
            return f"Disturbed: {', '.join(reasons)}; stop other programs and run again."
        if self.others_cores is None:
            reason = ": the run was too short" if self.seconds < _SHORTEST_S else ""
            return f"It is unknown whether other programs used the CPU{reason}."
        return f"Undisturbed: other programs kept {self.others_cores:.2f} cores busy."

    def record(self) -> dict[str, Any]:
        """Return the fields, `disturbed` and `sentence` as JSON types."""
        return asdict(self) | {"disturbed": self.disturbed, "sentence": self.sentence}

    def _reasons(self) -> list[str]:
        found = []
        if self.others_cores is not None and self.others_cores > _OTHERS:
            found.append(f"other programs kept {self.others_cores:.2f} cores busy")
        if self.stolen_cores is not None and self.stolen_cores > _STOLEN:
            found.append(f"the hypervisor withheld {self.stolen_cores:.2f} cores")
        if self.quota_s is not None and self.quota_s > _QUOTA * self.seconds:
            found.append(f"the container's CPU quota stopped it for {self.quota_s:.1f} s")
        if self.throttled:
            found.append(f"the CPU was slowed down ({', '.join(self.throttled)})")
        return found


class Watch:
    """Watch the machine from the creation of this object until `stop`."""

    def __init__(
        self, root: Path = Path("/"), *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        """Start to watch.

        Args:
            root: the folder that contains /proc and /sys.
            clock: returns the current time in seconds.
        """
        self._root, self._clock = root, clock
        self._before = _look(root, clock)

    def stop(self) -> Conditions:
        """Return what happened since; child processes that still run count as other programs."""
        before, after = self._before, _look(self._root, self._clock)
        seconds = after.clock_s - before.clock_s
        own = others = stolen = quota = None
        if before.own_s is not None and after.own_s is not None:
            own = after.own_s - before.own_s
        if before.busy and after.busy and own is not None and seconds >= _SHORTEST_S:
            busy = after.busy.running_s - before.busy.running_s
            # Some sandboxes do not count busy time: the machine then seems less busy than this
            # process.
            if busy > 0.5 * own:
                others = max(0.0, busy - own) / seconds
                stolen = (after.busy.stolen_s - before.busy.stolen_s) / seconds
        if before.quota_s is not None and after.quota_s is not None:
            quota = after.quota_s - before.quota_s
        return Conditions(
            seconds=seconds,
            own_cores=own / seconds if own is not None and seconds > 0 else None,
            others_cores=others,
            stolen_cores=stolen,
            quota_s=quota,
            throttled=_throttled(before.throttling, after.throttling),
            load_before=before.load,
            load_after=after.load,
        )


class _Busy(NamedTuple):
    running_s: float
    stolen_s: float


class _Look(NamedTuple):
    clock_s: float
    own_s: float | None
    busy: _Busy | None
    quota_s: float | None
    throttling: Throttling
    load: float | None


def _look(root: Path, clock: Callable[[], float]) -> _Look:
    return _Look(
        clock_s=clock(),
        own_s=_own_s(),
        busy=_busy(root),
        quota_s=_quota_s(root),
        throttling=read_throttling(root),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def _own_s() -> float | None:
    """Return the CPU time of this process and of its children that have ended, in seconds."""
    try:
        import resource  # Windows has none
    except ImportError:
        return None
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _busy(root: Path) -> _Busy | None:
    """Return the CPU time of all cores since the machine started, see proc_stat(5)."""
    try:
        with (root / "proc/stat").open() as stream:
            fields = [int(ticks) for ticks in stream.readline().split()[1:]]
        user, nice, system, _, _, irq, softirq, stolen = fields[:8]
    except (OSError, ValueError):
        return None
    ticks = os.sysconf("SC_CLK_TCK")
    return _Busy((user + nice + system + irq + softirq) / ticks, stolen / ticks)


def _quota_s(root: Path) -> float | None:
    """Return for how many seconds the CPU quota stopped this control group, see cgroups(7)."""
    groups = root / "sys/fs/cgroup"
    for path, key, unit in (
        (groups / "cpu.stat", "throttled_usec", 1e-6),
        (groups / "cpu/cpu.stat", "throttled_time", 1e-9),
    ):
        try:
            values = dict(line.split() for line in path.read_text().splitlines())
            return int(values[key]) * unit
        except (OSError, ValueError, LookupError):
            continue
    return None


def _throttled(before: Throttling, after: Throttling) -> tuple[str, ...]:
    active = [name for name, level in after.now.items() if level or before.now.get(name)]
    risen = [
        name
        for name, count in after.since_boot.items()
        if count > before.since_boot.get(name, 0) and name not in active
    ]
    return (*active, *risen)
