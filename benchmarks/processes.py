"""Look at a process and the processes below it, through Linux's /proc."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def descendants(process: int) -> Iterator[int]:
    """Yield the ids of all processes below a process."""
    waiting = [process]
    while waiting:
        below: list[int] = []
        with suppress(OSError):
            for children in (Path("/proc") / str(waiting.pop())).glob("task/*/children"):
                below += map(int, children.read_text().split())
        yield from below
        waiting += below


def pss_mib(process: int) -> float:
    """Return the memory of a process and all processes below it, in MiB.

    The proportional set size (PSS) counts a page that several processes share only once.
    Processes that have ended count as 0.
    """
    total_kib = 0
    for one in (process, *descendants(process)):
        try:
            rows = (Path("/proc") / str(one) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total_kib += sum(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
    return total_kib / 1024


def peak_resident_mib(process: int) -> float:
    """Return the largest resident memory of a process until now, in MiB; 0 if it has ended."""
    try:
        rows = (Path("/proc") / str(process) / "status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(row.split()[1]) for row in rows if row.startswith("VmHWM:")) / 1024
