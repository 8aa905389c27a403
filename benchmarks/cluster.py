"""The command `python -m benchmarks.cluster`: compare `edge-classify` with and without `--ray`.

Both classify the same folders of small PNG files on this machine with all its cores. Whole
processes are timed, so Ray's start and end count.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.png_folder import make_png_folder
from edge_runtime.support.options import run_command


def wall_time_s(folder: Path, *options: str | Path) -> float:
    """Run `edge-classify` once on a folder, and return its wall time in seconds."""
    command = [Path(sys.executable).parent / "edge-classify", folder, "--json", *options]
    own = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    started = time.perf_counter()
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env=own)
    return time.perf_counter() - started


def main(
    files: Annotated[
        int, typer.Option(min=2, help="Put this many images into the smaller folder.")
    ] = 5_000,
    times: Annotated[
        int, typer.Option(min=2, help="Put this many times as many images into the larger folder.")
    ] = 10,
) -> None:
    """Print the time per image in a folder and in a larger one, and per additional image."""
    seconds: dict[int, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for count in (files, files * times):
            folder = Path(temporary) / str(count)
            make_png_folder(folder, count)
            local = wall_time_s(folder, "--out", folder.with_suffix(".jsonl"))
            ray = wall_time_s(folder, "--ray", "--out", folder.with_suffix(".ray"))
            seconds[count] = local, ray
            typer.echo(
                f"{count:,} files: {local / count * 1e6:.0f} us per image without Ray, "
                f"{ray / count * 1e6:.0f} with Ray, ratio {ray / local:.2f}"
            )
    (local_few, ray_few), (local_many, ray_many) = seconds.values()
    more = files * times - files
    local_us, ray_us = (
        (b - a) / more * 1e6 for a, b in ((local_few, local_many), (ray_few, ray_many))
    )
    typer.echo(
        f"each additional image: {local_us:.0f} us without Ray, {ray_us:.0f} with Ray, "
        f"ratio {ray_us / local_us:.2f}"
    )


if __name__ == "__main__":
    run_command(main)
