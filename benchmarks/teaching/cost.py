"""What `edge-teach` costs, and what `classify` costs with the file that it writes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks.processes import peak_resident_mib, pss_mib
from benchmarks.runtime import BareInterpreter
from benchmarks.turns import take_turns
from edge_runtime import Classifier
from edge_runtime.inputs.class_folders import Photograph
from edge_runtime.support.timing import TimeRatio, compare_times, summarize

_PROGRAM = "from edge_runtime.teaching.cli import main; main()"
_EVERY_S = 0.05
_TIMED_S = 10.0


class CostRow(NamedTuple):
    """The cost of teaching and of the taught file.

    Attributes:
        photographs: that were taught.
        seconds: from the start of `edge-teach` to its end, without photographs that it remembers.
        cpu_seconds: of all its threads and processes.
        peak_mib: largest memory of all its processes (PSS, looked at 20 times a second), or the
            largest resident memory of the process alone if that is more.
        classify_ms: time of `classify` on a ready array, one thread, median.
        classify_ratio: that time divided by that of the interpreter's three calls.
        classify_low: lower end of its 95 % interval.
        classify_high: upper end of its 95 % interval.
    """

    photographs: int
    seconds: float
    cpu_seconds: float
    peak_mib: float
    classify_ms: float
    classify_ratio: float
    classify_low: float
    classify_high: float


def measure_cost(
    photographs: Sequence[Photograph], classes: Sequence[str], side: int, threads: int
) -> CostRow:
    """Run `edge-teach` on photographs, and time the model that it writes. Linux only.

    Args:
        photographs: to teach.
        classes: names by label.
        side: of the model's input, in pixels.
        threads: photographs that are read at once.

    Raises:
        CalledProcessError: `edge-teach` failed; its message is on standard error.
    """
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number, photograph in enumerate(photographs):
            own = folder / "photographs" / classes[photograph.label]
            own.mkdir(parents=True, exist_ok=True)
            shutil.copy(photograph.path, own / f"{number:05}{Path(photograph.path).suffix}")
        model = folder / "taught.tflite"
        command = [sys.executable, "-c", _PROGRAM, str(folder / "photographs"), f"--out={model}"]
        command += [f"--side={side}", f"--threads={threads}"]
        seconds, cpu_seconds, peak_mib = _run(command, folder / "cache")
        milliseconds, ratio = _compare_array(model, Path(photographs[0].path), side)
    return CostRow(
        photographs=len(photographs),
        seconds=seconds,
        cpu_seconds=cpu_seconds,
        peak_mib=peak_mib,
        classify_ms=milliseconds,
        classify_ratio=ratio.ratio,
        classify_low=ratio.low,
        classify_high=ratio.high,
    )


def _run(command: list[str], cache: Path) -> tuple[float, float, float]:
    """Run a command with an empty cache, and return its seconds, CPU seconds and peak MiB."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env={**os.environ, "XDG_CACHE_HOME": str(cache)}
    )
    peak_mib = 0.0
    try:
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            peak_mib = max(peak_mib, pss_mib(process.pid), peak_resident_mib(process.pid))
            time.sleep(_EVERY_S)
    except BaseException:
        process.kill()
        process.wait()
        raise
    seconds = time.perf_counter() - started
    _, status, usage = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds, usage.ru_utime + usage.ru_stime, peak_mib


def _compare_array(model: Path, photograph: Path, side: int) -> tuple[float, TimeRatio]:
    """Time `classify` against the interpreter's three calls, each loaded several times."""
    with Image.open(photograph) as image:
        pixels = np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC))
    batch = pixels[np.newaxis].copy()

    def bare() -> Callable[[], object]:
        return partial(BareInterpreter(model).run, batch)

    def ours() -> Callable[[], object]:
        return partial(Classifier(model).classify, pixels)

    [series], complete = take_turns([{"bare": bare, "ours": ours}], _TIMED_S)
    if not complete:
        raise KeyboardInterrupt
    times = series.times
    return (
        summarize(times["ours"]).p50_us / 1000,
        compare_times(times["bare"], times["ours"], stretch=series.stretch),
    )
