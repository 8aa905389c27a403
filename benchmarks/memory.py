"""The command `python -m benchmarks.memory`: what a folder of pictures takes, of all processes.

Proportional set size (PSS) counts a page that several processes share once. Linux alone has it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.inference import shipped


def pss_mib(process: int) -> float:
    """Return the PSS of a process and all below it in MiB; of those that have ended, nothing."""
    total_kib = 0
    for one in (process, *descendants(process)):
        try:
            rows = (Path("/proc") / str(one) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total_kib += sum(int(row.split()[1]) for row in rows if row.startswith("Pss:"))
    return total_kib / 1024


def descendants(process: int) -> Iterator[int]:
    """Yield the processes below one."""
    waiting = [process]
    while waiting:
        below: list[int] = []
        with suppress(OSError):
            for children in (Path("/proc") / str(waiting.pop())).glob("task/*/children"):
                below += map(int, children.read_text().split())
        yield from below
        waiting += below


def peak_mib(files: int) -> float:
    """Run the command on a folder of so many pictures and return its highest PSS in MiB."""
    samples = list(shipped.samples().values())
    with tempfile.TemporaryDirectory() as temporary:
        pictures = Path(temporary)
        for number in range(files):
            shutil.copy(samples[number % len(samples)], pictures / f"{number:07}.png")
        process = subprocess.Popen(
            [Path(sys.executable).parent / "edge-classify", "--json", pictures],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, pss_mib(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return peak


def main(
    files: Annotated[int, typer.Option(min=1, help="Pictures in the smaller folder.")] = 2_000,
) -> None:
    """Print the peak memory for a folder, and for one ten times as large."""
    for count in (files, 10 * files):
        typer.echo(f"{count:,} files: at most {peak_mib(count):.0f} MiB PSS, all processes")


if __name__ == "__main__":
    typer.run(main)
