"""From nothing to the first answer, in a process of its own, and the memory that takes.

python -m edge_runtime.benchmark.cold_start < SETTING-AND-PICTURES    what the child runs
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
    """One process.

    Attributes:
        process_ms: until Python runs its first line.
        imports_ms: numpy, Pillow and LiteRT.
        load_ms: the model, on its delegate.
        first_image_ms: from the first picture, or batch, to the answer.
        first_invoke_ms: the model's part of it.
        peak_bytes: the most memory that was resident, when all was done; None is unknown.
    """

    process_ms: float
    imports_ms: float
    load_ms: float
    first_image_ms: float
    first_invoke_ms: float
    peak_bytes: int | None

    @property
    def total_ms(self) -> float:
        """From the start of the process to the first answer."""
        return self.process_ms + self.imports_ms + self.load_ms + self.first_image_ms


def cold_start(setting: Setting, pictures: Sequence[Path]) -> ColdStart:
    """Start a process that classifies some pictures, and say how it went.

    Args:
        pictures: as many as the setting's batch.

    Raises:
        ModelError: the process failed.
    """
    import subprocess

    from edge_runtime.support.child import child_command, child_environment

    command = child_command("edge_runtime.benchmark.cold_start")
    task = json.dumps([setting, list(map(str, pictures))]).encode()
    started = time.monotonic_ns()  # as opposed to perf_counter, it is the same in all processes
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
            f"{setting.model} gave no answer in a process of its own in {_TIMEOUT_S} s; try "
            f"another delegate."
        ) from exc
    except OSError as exc:  # no memory for another process, say
        raise ModelError(
            f"{setting.model} could not be started in a process of its own ({exc.strerror}); end "
            f"other programs, or leave that out with --cold-starts 0."
        ) from exc
    try:
        first_line, imported, loaded, answered, invoke_ns, peak = json.loads(child.stdout)
    except ValueError as exc:
        reason = child.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ModelError(
            f"{setting.model} failed in a process of its own "
            f"({reason[0] if reason else f'exit code {child.returncode}'}); try another delegate."
        ) from exc
    return ColdStart(
        process_ms=(first_line - started) / 1e6,
        imports_ms=(imported - first_line) / 1e6,
        load_ms=(loaded - imported) / 1e6,
        first_image_ms=(answered - loaded) / 1e6,
        first_invoke_ms=invoke_ns / 1e6,
        peak_bytes=peak,
    )


def median(starts: Sequence[ColdStart]) -> ColdStart:
    """Return the median of each part, and the highest peak."""
    import statistics  # which the child, whose first line this file's imports delay, does not need

    *parts, peaks = zip(*starts, strict=True)
    known = [peak for peak in peaks if peak is not None]
    middles = {
        name: statistics.median(part) for name, part in zip(ColdStart._fields, parts, strict=False)
    }
    return ColdStart(**middles, peak_bytes=max(known, default=None))


def _peak_bytes() -> int | None:
    """Return this process' peak resident memory."""
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

    gc.disable()  # as the command does
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    from edge_runtime.benchmark.pipeline import Pipeline, Setting

    imported = time.monotonic_ns()
    task, names = json.loads(sys.stdin.buffer.read())
    setting, pictures = Setting(*task), list(map(Path, names))
    try:
        pipeline = Pipeline(setting)
        loaded = time.monotonic_ns()
        _, _, invoke_ns, _ = pipeline.run(pictures)
        answered = time.monotonic_ns()
        for _ in range(10):
            pipeline.run(pictures)
    except EdgeRuntimeError as exc:
        print(exc, file=sys.stderr)
        os._exit(1)
    json.dump((first_line, imported, loaded, answered, invoke_ns, _peak_bytes()), answers)
    answers.flush()
    os._exit(0)


if __name__ == "__main__":
    _main()
