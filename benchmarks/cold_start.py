"""The command `python -m benchmarks.cold_start`: compare `edge-classify` with a bare script.

Both run in turn as whole processes, on the same image and model. The operating system reports the
memory of each process when it ends.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.inference import shipped
from edge_runtime.support.options import run_command

BARE_SCRIPT = """
import sys
import numpy as np
from PIL import Image
from ai_edge_litert.interpreter import Interpreter

interpreter = Interpreter(model_path=sys.argv[1])
interpreter.allocate_tensors()
image = np.asarray(Image.open(sys.argv[2]).convert("RGB").resize((32, 32)))
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
interpreter.invoke()
scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
print(scores.argmax(), scores.max() / 256)
"""


def run_once(command: list[str]) -> tuple[float, float]:
    """Run a command once, and return its wall time in seconds and its peak memory in MiB."""
    started = time.perf_counter_ns()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = (time.perf_counter_ns() - started) / 1e9
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    # Linux counts in KiB from the fork on, so this process must be smaller than the command.
    return seconds, usage.ru_maxrss / 1024


def main(
    runs: Annotated[
        int, typer.Option(min=2, help="Run each of the two this many times, after a warm-up.")
    ] = 15,
) -> None:
    """Print the wall time and peak memory of both, and the ratio of their times in each pair."""
    model = str(shipped.models()[shipped.DEFAULT_MODEL])
    image = str(shipped.samples()["cat"])
    commands = {
        "edge-classify": [str(Path(sys.executable).parent / "edge-classify"), image],
        "bare script": [sys.executable, "-c", BARE_SCRIPT, model, image],
    }
    measured: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(runs + 1):
        for name, command in commands.items():
            measured[name].append(run_once(command))
    seconds = {name: [s for s, _ in values[1:]] for name, values in measured.items()}
    for name, values in seconds.items():
        peak = statistics.median(mib for _, mib in measured[name][1:])
        typer.echo(f"{name}: median {statistics.median(values):.3f} s, peak {peak:.0f} MiB")
    ratios = [a / b for a, b in zip(*seconds.values(), strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    typer.echo(
        f"ratio of {runs} pairs: median {statistics.median(ratios):.2f}, "
        f"half of them between {low:.2f} and {high:.2f}"
    )


if __name__ == "__main__":
    run_command(main)
