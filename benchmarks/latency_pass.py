"""The latency pass: each contender of a network in turns with our int8, call by call.

A call is one batch from a ready input tensor to the raw output; decoding and pre-processing are
`edge-benchmark`'s to show. Two at a time take turns, not all: a dozen networks in a row would
throw each other's weights out of the caches, which no device does.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.contenders import Contender
from benchmarks.macs import multiply_adds
from benchmarks.results import OURS, Results, Subject
from edge_runtime import shipped
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.latency import compare, measure, summarize

ROUNDS = (20, 2000)  # at least and at most
WARM_UP = 20
CHUNKS = 10  # so many stretches, each of which outlives Ctrl-C

Series = dict[str, NDArray[np.int64]]


def run(
    contenders: Sequence[Contender],
    results: Results,
    *,
    seconds: float,
    say: Callable[[str], None] = print,
) -> None:
    """Time the contenders of one network and put their figures into `results`.

    Args:
        seconds: about how long to measure.

    Raises:
        KeyboardInterrupt: it was interrupted; what was measured until then is kept.
    """
    calls: dict[Subject, Callable[[], object]] = {}
    for contender in contenders:
        row = results.row(
            contender.subject, size_bytes=contender.size_bytes, sha256=contender.sha256
        )
        try:
            call = _call(contender)
            call()
        except (EdgeRuntimeError, RuntimeError, ValueError) as exc:
            row.latency, row.reasons["latency"] = None, str(exc)
            continue
        if contender.subject.runtime == OURS:
            row.macs = multiply_adds(contender.path)
        calls[contender.subject] = call
        row.latency, row.reasons["latency"] = None, "interrupted before its turn"
    if not calls:
        return
    base = reference(list(calls))
    macs = next((m for s in calls if (m := results.rows[s.name].macs)), None)
    of_base: list[NDArray[np.int64]] = []
    others = [subject for subject in calls if subject != base]
    for subject in others or [base]:
        say(f"latency: {subject.name}")
        pair = {s.name: calls[s] for s in {base: None, subject: None}}
        series, complete = interleaved(pair, seconds / max(1, len(others)))
        if series:
            of_base.append(series[base.name])
            times = [
                series[name] // s.batch for name, s in zip(pair, (base, subject), strict=False)
            ]
            against = compare(times[0], times[-1])
            row = results.rows[subject.name]
            row.macs = row.macs or macs
            row.reasons.pop("latency", None)
            row.latency = asdict(summarize(times[-1])) | {
                "complete": complete,
                "against": base.name,
                "ratio": against.ratio,
                "ratio_low": against.low,
                "ratio_high": against.high,
                "verdict": against.verdict,
            }
            row = results.rows[base.name]
            row.reasons.pop("latency", None)
            row.latency = asdict(summarize(np.concatenate(of_base) // base.batch)) | {
                "complete": complete,
                "against": base.name,
                "verdict": "the reference",
            }
        if not complete:
            raise KeyboardInterrupt


def _call(contender: Contender) -> Callable[[], object]:
    image = np.asarray(Image.open(shipped.samples()["ship"]).convert("RGB"))
    runner = contender.open()
    return partial(runner.run, runner.ready(image))


def interleaved(calls: dict[str, Callable[[], object]], seconds: float) -> tuple[Series, bool]:
    """Measure for about so many seconds, in stretches, and say whether Ctrl-C came between."""
    stretches: list[Series] = []
    try:
        started = time.perf_counter()
        measure(calls, rounds=3, warm_up=2)
        round_s = (time.perf_counter() - started) / 5
        rounds = int(np.clip(seconds / round_s, *ROUNDS))
        for number in range(CHUNKS):
            warm_up = WARM_UP if number == 0 else 0
            stretches.append(measure(calls, rounds=-(-rounds // CHUNKS), warm_up=warm_up))
    except KeyboardInterrupt:
        pass
    series = (
        {name: np.concatenate([s[name] for s in stretches]) for name in calls} if stretches else {}
    )
    return series, len(stretches) == CHUNKS


def reference(subjects: Sequence[Subject]) -> Subject:
    """Return which of them the ratios are to: our int8, one image, one thread, or the first."""

    def distance(subject: Subject) -> tuple[bool, ...]:
        return (
            subject.runtime != OURS,
            subject.precision != "int8",
            subject.delegate != "xnnpack",
            subject.threads * subject.batch != 1,
        )

    return min(subjects, key=distance)


def cross_check(contenders: Sequence[Contender], results: Results) -> None:
    """Let LiteRT's own `litert-benchmark` time our files too, to the 0.01 ms that it rounds to.

    It runs one network over and over, and so do we here.
    """
    for contender in contenders:
        subject = contender.subject
        row = results.rows[subject.name]
        if (subject.runtime, subject.delegate) != (OURS, "xnnpack") or row.latency is None:
            continue
        [times] = interleaved({"alone": _call(contender)}, 2)[0].values()
        found: dict[str, Any] = {"name": subject.name, "ours_ms": float(np.median(times)) / 1e6}
        runs = int(np.clip(2000 / found["ours_ms"], 50, 2000))  # about 2 s
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
