"""Time our files with LiteRT's own `litert-benchmark` too, as a check of our timing."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contenders import Contender
from benchmarks.latency_pass import sample_image
from benchmarks.results import OURS, Results
from benchmarks.turns import take_turns


def cross_check(contenders: Sequence[Contender], results: Results, seconds: float = 2.0) -> None:
    """Time our XNNPACK files with `litert-benchmark`, which rounds to 0.01 ms, and with our timer.

    `litert-benchmark` runs one network repeatedly, and so does our timer here.

    Args:
        contenders: contenders of the latency pass; only our single XNNPACK files are timed.
        results: the results to add to; they have the rows of the contenders.
        seconds: approximate duration per file and timer.

    Raises:
        KeyboardInterrupt: the user interrupted the check.
    """
    for contender in contenders:
        subject = contender.subject
        row = results.rows[subject.name]
        ours = (subject.runtime, subject.delegate) == (OURS, "xnnpack") and contender.images == 1
        if not ours or row.latency is None:
            continue
        [alone], complete = take_turns(
            [{"alone": partial(contender.call, sample_image())}], seconds
        )
        if not complete:
            raise KeyboardInterrupt
        ours_ms = float(np.median(alone.times["alone"])) / 1e6
        found: dict[str, Any] = {"name": subject.name, "ours_ms": ours_ms}
        runs = int(np.clip(1000 * seconds / ours_ms, 50, 2000))
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "result.json"
            command = [sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model"]
            command += [f"--model={contender.path}", f"--num_threads={subject.threads}"]
            command += [f"--num_runs={runs}", "--warmup_runs=50", f"--result_json={out}"]
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=120)
                found["litert_benchmark_ms"] = json.loads(out.read_text())["latency"]["median_ms"]
            except (OSError, subprocess.SubprocessError, ValueError, KeyError) as exc:
                found["reason"] = f"litert-benchmark failed ({type(exc).__name__})"
        results.cross_check = [c for c in results.cross_check if c["name"] != subject.name]
        results.cross_check.append(found)
