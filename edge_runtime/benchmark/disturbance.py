"""Whether something else used the CPU while something was measured.

The machine's busy time (/proc/stat, which a container sees too) less this process' own is what
others took; besides, what a hypervisor took, what a container's CPU quota held back, and whether
the CPU was throttled. Where Linux does not say, it is unknown. The standard library only.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edge_runtime.benchmark.environment import Throttling, read_throttling

# Shares of one core that others may take before a run counts as disturbed. An idle system's own
# work stays well below; what a hypervisor takes is taken from the measured program itself.
_OTHERS = 0.1
_STOLEN = 0.05
_QUOTA = 0.01
_SHORTEST_S = 0.2  # /proc/stat counts in hundredths of a second


@dataclass(frozen=True, slots=True)
class Conditions:
    """What happened to the machine during a run; None is unknown.

    Attributes:
        seconds: how long it took.
        own_cores: how many cores this process and its children kept busy, on average.
        others_cores: how many cores all else did.
        stolen_cores: how many cores' worth a hypervisor withheld.
        quota_s: for how long a container's CPU quota held its processes back.
        throttled: what slowed the CPU down.
        load_before: the load average of the minute before.
        load_after: and at the end.
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
        """Whether the figures were disturbed, None where nothing says so."""
        if self._reasons():
            return True
        return None if self.others_cores is None else False

    @property
    def sentence(self) -> str:
        """What disturbed the run, or that nothing did, or that it is unknown."""
        reasons = self._reasons()
        if reasons:
            return f"Disturbed: {', '.join(reasons)}; quieten the machine and run again."
        if self.others_cores is None:
            reason = ": the run was too short" if self.seconds < _SHORTEST_S else ""
            return f"Whether anything else used the CPU is unknown{reason}."
        return f"Undisturbed: all else kept {self.others_cores:.2f} cores busy."

    def record(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        return asdict(self) | {"disturbed": self.disturbed, "sentence": self.sentence}

    def _reasons(self) -> list[str]:
        found = []
        if self.others_cores is not None and self.others_cores > _OTHERS:
            found.append(f"other programs kept {self.others_cores:.2f} cores busy")
        if self.stolen_cores is not None and self.stolen_cores > _STOLEN:
            found.append(f"the hypervisor withheld {self.stolen_cores:.2f} cores")
        if self.quota_s is not None and self.quota_s > _QUOTA * self.seconds:
            found.append(f"the container's CPU quota held it back for {self.quota_s:.1f} s")
        if self.throttled:
            found.append(f"the CPU was slowed down ({', '.join(self.throttled)})")
        return found


class Watch:
    """Watches the machine from its making until `stop`."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Begin.

        Args:
            root: where /proc and /sys are.
        """
        self._root = root
        self._before = _look(root)

    def stop(self) -> Conditions:
        """Return what happened since; child processes must have ended, or they count as others."""
        before, after = self._before, _look(self._root)
        seconds = after.clock_s - before.clock_s
        own = others = stolen = quota = None
        if before.own_s is not None and after.own_s is not None:
            own = after.own_s - before.own_s
        if before.busy and after.busy and own is not None and seconds >= _SHORTEST_S:
            busy = after.busy.running_s - before.busy.running_s
            # A machine less busy than this process does not count at all, as some sandboxes do.
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


def _look(root: Path) -> _Look:
    return _Look(
        clock_s=time.perf_counter(),
        own_s=_own_s(),
        busy=_busy(root),
        quota_s=_quota_s(root),
        throttling=read_throttling(root),
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def _own_s() -> float | None:
    """Return the CPU time of this process, and of its children that have ended."""
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
    """Return for how long the CPU quota held this process' control group back, see cgroups(7)."""
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
