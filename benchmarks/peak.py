"""The peak: the multiply-adds per second that one core can do at most.

`peak.c` has loops of independent multiply-adds. They are compiled for this CPU when they are
needed, and the fastest call of the fastest loop counts.
"""

from __future__ import annotations

import ctypes
import platform
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import Row

SOURCE = Path(__file__).with_name("peak.c")
COMPILE_TIMEOUT_S = 60

# The multiply-adds of a step, by precision and function of peak.c. A CPU has some of them.
_STEPS = {
    "int8": {"int8_512": 64, "int8_256": 32, "int8_128_matrix": 32, "int8_128": 16},
    "bfloat16": {"bfloat16_512": 32},
    "float32": {"float32_512": 16, "float32_256": 8, "float32_128": 4},
}
# Precisions that have no loop: the precision that they compute in.
_COMPUTES_IN = {"float16": "float32", "int8-qat": "int8", "dynamic": "int8"}


class UnknownPeakError(Exception):
    """The peak of this machine cannot be measured; the message says why."""


@dataclass(frozen=True)
class Loop:
    """A loop of multiply-adds in registers.

    Attributes:
        name: its function in peak.c.
        precision: type of the factors.
        macs: multiply-adds of a call.
        call: runs the loop once, a fraction of a millisecond.
    """

    name: str
    precision: str
    macs: int
    call: Callable[[], object]

    def open(self) -> Callable[[], object]:
        """Return the call, as `benchmarks.turns.take_turns` asks for it."""
        return self.call


def loops() -> list[Loop]:
    """Compile the loops for this CPU, and return those that it has instructions for.

    Raises:
        UnknownPeakError: there is no C compiler, it fails, or the CPU has no such instructions.
    """
    compiler = shutil.which("cc")
    if compiler is None:
        raise UnknownPeakError("there is no C compiler; install gcc or clang")
    arm = platform.machine() in ("aarch64", "arm64")
    native = "-mcpu=native" if arm else "-march=native"
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        library = Path(folder) / "peak.so"
        command = [compiler, "-O3", native, "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=COMPILE_TIMEOUT_S)
            loaded = ctypes.CDLL(str(library))  # which needs the file no longer
        except (OSError, subprocess.SubprocessError) as exc:
            raise UnknownPeakError(f"{compiler} cannot compile {SOURCE.name} ({exc})") from exc
    steps = ctypes.c_long.in_dll(loaded, "steps").value
    found = [
        Loop(name, precision, macs * steps, getattr(loaded, name))
        for precision, functions in _STEPS.items()
        for name, macs in functions.items()
        if hasattr(loaded, name)
    ]
    if not found:
        raise UnknownPeakError(f"{SOURCE.name} has no loop for this CPU")
    return found


def reached(loops: Sequence[Loop], series: Mapping[str, NDArray[np.int64]]) -> dict[str, Any]:
    """Return the peak of each precision.

    Args:
        loops: the loops that were timed.
        series: the times of each loop by name, int64 (calls,), nanoseconds.

    Returns:
        For each precision `macs_per_s` and `by`, the rate and name of the fastest loop, and `all`,
        the rates of all loops by name. The fastest call of each loop counts, because whatever
        disturbs a call makes it slower.
    """
    rates: dict[str, dict[str, float]] = {}
    for loop in loops:
        rate = loop.macs / (float(series[loop.name].min()) * 1e-9)
        rates.setdefault(loop.precision, {})[loop.name] = rate
    found = {}
    for precision, of_precision in rates.items():
        best = max(of_precision, key=of_precision.__getitem__)
        found[precision] = {"macs_per_s": of_precision[best], "by": best, "all": of_precision}
    return found


def share(row: Row, reached: Mapping[str, Any]) -> float | None:
    """Return the share of the peak of its threads that a row reaches; None: unknown.

    Args:
        row: a row with its latency and multiply-adds.
        reached: the peaks of one core, as `reached` returns them.
    """
    precision = _COMPUTES_IN.get(row.subject.precision, row.subject.precision)
    if row.latency is None or row.macs is None or precision not in reached:
        return None
    rate: float = row.macs / (row.latency["p50_us"] * 1e-6)
    return rate / (reached[precision]["macs_per_s"] * row.subject.threads)
