"""Measure the time to the first result in a new process, and its peak memory.

The child process runs `python -m edge_runtime.benchmark.cold_start`; it reads the setting and the
names of the images from standard input.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edge_runtime.errors import EdgeRuntimeError, ModelError

if TYPE_CHECKING:
    from edge_runtime.benchmark.pipeline import Setting

_TIMEOUT_S = 120


class ColdStart(NamedTuple):
    """The times and the memory of one process.

    Attributes:
        process_ms: from the start of the process to its first line of Python.
        imports_ms: to import numpy, Pillow and LiteRT.
        load_ms: to load the model on its delegate.
        first_image_ms: from the first image, or batch, to its result.
        first_invoke_ms: the part of `first_image_ms` that the model takes.
        peak_bytes: peak resident memory at the end of the process; None: unknown.
    """

    process_ms: float
    imports_ms: float
    load_ms: float
    first_image_ms: float
    first_invoke_ms: float
    peak_bytes: int | None

    @property
    def total_ms(self) -> float:
        """Time from the start of the process to the first result."""
        return self.process_ms + self.imports_ms + self.load_ms + self.first_image_ms


def cold_start(setting: Setting, images: Sequence[Path]) -> ColdStart:
    """Start a process that classifies some images, and return what it took.

    Args:
        setting: model, delegate, threads and batch.
        images: as many as the batch of the setting.

    Raises:
        ModelError: the process failed.
    """
    import subprocess

    from edge_runtime.support.child import child_command, child_environment

    command = child_command("edge_runtime.benchmark.cold_start")
    task = json.dumps([setting, list(map(str, images))]).encode()
    started = time.monotonic_ns()  # unlike perf_counter, it is the same clock in all processes
    try:
        child = subprocess.run(
            command,
            env=child_environment(),
            input=task,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as exc:
        raise ModelError(
            f"{setting.model} gave no result in a new process within {_TIMEOUT_S} s; try "
            f"another delegate."
        ) from exc
    except OSError as exc:  # for example, no memory for another process
        raise ModelError(
            f"{setting.model} could not be started in a new process ({exc.strerror}); stop other "
            f"programs, or omit this pass with --cold-starts 0."
        ) from exc
    try:
        first_line, imported, loaded, finished, invoke_ns, peak = json.loads(child.stdout)
    except ValueError as exc:
        reason = child.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ModelError(
            f"{setting.model} failed in a new process "
            f"({reason[0] if reason else f'exit code {child.returncode}'}); try another delegate."
        ) from exc
    return ColdStart(
        process_ms=(first_line - started) / 1e6,
        imports_ms=(imported - first_line) / 1e6,
        load_ms=(loaded - imported) / 1e6,
        first_image_ms=(finished - loaded) / 1e6,
        first_invoke_ms=invoke_ns / 1e6,
        peak_bytes=peak,
    )


def median(starts: Sequence[ColdStart]) -> ColdStart:
    """Return the median of each time, and the highest memory peak."""
    import statistics  # the child does not need it, and imports of this file delay its first line

    *parts, peaks = zip(*starts, strict=True)
    known = [peak for peak in peaks if peak is not None]
    middles = {
        name: statistics.median(part) for name, part in zip(ColdStart._fields, parts, strict=False)
    }
    return ColdStart(**middles, peak_bytes=max(known, default=None))


def _peak_bytes() -> int | None:
    """Return the peak resident memory of this process; None: unknown."""
    try:
        # The kernel's accounting for `wait4` begins before `exec`, with the parent's memory.
        rows = Path("/proc/self/status").read_text().splitlines()
        return next(int(row.split()[1]) * 1024 for row in rows if row.startswith("VmHWM:"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _main() -> None:
    first_line = time.monotonic_ns()
    import gc
    import os

    gc.disable()  # as edge-classify does
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print on standard output
    from edge_runtime.benchmark.pipeline import Pipeline, Setting

    imported = time.monotonic_ns()
    task, names = json.loads(sys.stdin.buffer.read())
    setting, images = Setting(*task), list(map(Path, names))
    try:
        pipeline = Pipeline(setting)
        loaded = time.monotonic_ns()
        _, _, invoke_ns, _ = pipeline.run(images)
        finished = time.monotonic_ns()
        for _ in range(10):
            pipeline.run(images)
    except EdgeRuntimeError as exc:
        print(exc, file=sys.stderr)
        os._exit(1)
    json.dump((first_line, imported, loaded, finished, invoke_ns, _peak_bytes()), results)
    results.flush()
    os._exit(0)


if __name__ == "__main__":
    _main()
