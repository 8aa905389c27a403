"""The latency pass: each contender of a network in turns with our int8, call by call.

A call is one batch from a ready input tensor to the raw output; decoding and pre-processing are
`edge-benchmark`'s to show. The probe of the roofline takes its turns in between.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import roofline
from benchmarks.contenders import Contender
from benchmarks.macs import multiply_adds
from benchmarks.results import OURS, Results, Row, Subject
from benchmarks.roofline import Probe
from benchmarks.turns import Call, take_turns
from edge_runtime.benchmark.environment import read_environment
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.support.timing import Summary, compare_times, summarize


def run(
    contenders: Sequence[Contender],
    probes: Sequence[Probe],
    results: Results,
    *,
    seconds: float,
    say: Callable[[str], None] = print,
) -> None:
    """Time the contenders of one network and put their figures into `results`.

    Args:
        probes: of the roofline.
        seconds: about how long to measure.

    Raises:
        KeyboardInterrupt: it was interrupted; what was measured until then is kept.
    """
    openers: dict[Subject, Callable[[], Call]] = {}
    image = _image()
    macs: dict[str, int] = {}  # by network; a peer's are those of our file
    for contender in contenders:
        subject = contender.subject
        row = results.row(subject, size_bytes=contender.size_bytes, sha256=contender.sha256)
        opener = partial(contender.call, image)
        try:
            opener()()
        except (EdgeRuntimeError, RuntimeError, ValueError) as exc:
            row.latency, row.reasons["latency"] = None, str(exc)
            continue
        if subject.runtime == OURS:
            row.macs = multiply_adds(contender.path)
            macs.setdefault(subject.network, row.macs)
        openers[subject] = opener
        if row.latency is None:
            row.reasons["latency"] = "interrupted before its turn"
    if not openers:
        return
    base = reference(list(openers))
    others = [subject for subject in openers if subject != base] or [base]
    say(f"latency: {len(openers)} of {base.network} by turns")
    pairs = [{s.name: openers[s] for s in (base, other)} for other in others]
    groups = [*pairs, {probe.name: probe.open for probe in probes}]
    series, complete = take_turns([group for group in groups if group], seconds)
    of_probes = series[-1].times
    reached = roofline.reached(probes, of_probes) if probes and of_probes else {}
    if reached and (complete or base.network not in results.roofline):
        results.roofline[base.network] = reached
    of_base = []
    for other, (times, stretch, error) in zip(others, series, strict=False):
        if error:
            results.rows[other.name].latency = None
            results.rows[other.name].reasons["latency"] = error
            continue
        if not times:
            continue
        of_base.append(times[base.name] // base.batch)
        of_other = times[other.name] // other.batch
        against = compare_times(of_base[-1], of_other, stretch=stretch)
        row = results.rows[other.name]
        if other.runtime != OURS:
            row.macs = macs.get(other.network)
        _fill(
            row,
            summarize(of_other, stretch=stretch),
            reached,
            complete=complete,
            against=base.name,
            ratio=against.ratio,
            ratio_low=against.low,
            ratio_high=against.high,
            verdict=against.verdict,
        )
    if of_base:
        row = results.rows[base.name]
        _fill(
            row,
            summarize(
                np.concatenate(of_base), stretch=max(pair.stretch for pair in series[: len(others)])
            ),
            reached,
            complete=complete,
            against=base.name,
            verdict="the reference",
        )
    if not complete:
        raise KeyboardInterrupt


def _fill(
    row: Row, summary: Summary, reached: Mapping[str, Any], *, complete: bool, **more: object
) -> None:
    row.reasons.pop("latency", None)
    if row.latency and row.latency["complete"] and not complete:
        return  # a former run's figures are worth more than a part of this one's
    row.latency = asdict(summary) | more | {"complete": complete, "machine": machine()}
    row.latency["roofline"] = roofline.fraction(row, reached)


def _image() -> NDArray[np.uint8]:
    return np.asarray(Image.open(shipped.samples()["ship"]).convert("RGB"))


def machine() -> str:
    """Return what times depend on first of all: the CPU and its instructions."""
    environment = read_environment()
    return f"{environment.cpu} ({environment.architecture}: {' '.join(environment.instructions)})"


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


def cross_check(contenders: Sequence[Contender], results: Results, seconds: float = 2.0) -> None:
    """Let LiteRT's own `litert-benchmark` time our files too, to the 0.01 ms that it rounds to.

    It runs one network over and over, and so do we here.

    Args:
        seconds: for each file and timer, about.
    """
    for contender in contenders:
        subject = contender.subject
        row = results.rows[subject.name]
        if (subject.runtime, subject.delegate) != (OURS, "xnnpack") or row.latency is None:
            continue
        [alone], complete = take_turns([{"alone": partial(contender.call, _image())}], seconds)
        if not complete:
            raise KeyboardInterrupt
        ours_ms = float(np.median(alone.times["alone"])) / 1e6
        found: dict[str, Any] = {"name": subject.name, "ours_ms": ours_ms}
        runs = int(np.clip(1000 * seconds / found["ours_ms"], 50, 2000))
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
