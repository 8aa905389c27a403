"""The command `python -m benchmarks.memory`: the memory that `edge-classify` needs for a folder.

It counts all processes of the command, by their proportional set size (PSS). Linux only.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.processes import pss_mib
from edge_runtime.inference import shipped
from edge_runtime.support.options import run_command


def peak_mib(files: int) -> float:
    """Run `edge-classify` on a folder with so many images, and return its peak PSS in MiB."""
    samples = list(shipped.samples().values())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number in range(files):
            shutil.copy(samples[number % len(samples)], folder / f"{number:07}.png")
        process = subprocess.Popen(
            [Path(sys.executable).parent / "edge-classify", "--json", folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        peak = 0.0
        try:
            while process.poll() is None:
                peak = max(peak, pss_mib(process.pid))
                time.sleep(0.05)
        finally:
            process.kill()  # does nothing unless this command is stopped
            process.wait()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    return peak


def main(
    files: Annotated[
        int, typer.Option(min=1, help="Put this many images into the smaller folder.")
    ] = 2_000,
) -> None:
    """Print the peak memory for a folder, and for a folder ten times as large."""
    for count in (files, 10 * files):
        typer.echo(f"{count:,} files: at most {peak_mib(count):.0f} MiB PSS, all processes")


if __name__ == "__main__":
    run_command(main)
