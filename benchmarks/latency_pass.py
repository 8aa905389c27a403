"""The latency pass: each contender of a network alternates with our int8 file, call by call.

A call takes one batch from the input tensor to the raw output. Decoding and pre-processing are not
part of it; `edge-benchmark` measures them. Calls of `benchmarks.pairs` take many images, and
pre-process them. The loops that measure the peak take turns too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks import peak
from benchmarks.contenders import Contender
from benchmarks.macs import multiply_adds
from benchmarks.peak import Loop
from benchmarks.results import OURS, Results, Row, Subject
from benchmarks.turns import Call, Group, take_turns
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.support.environment import read_environment
from edge_runtime.support.timing import Summary, compare_times, summarize


def run(
    contenders: Sequence[Contender],
    loops: Sequence[Loop],
    results: Results,
    *,
    seconds: float,
    say: Callable[[str], None] = print,
) -> None:
    """Time the contenders of one network, and put their figures into `results`.

    Args:
        contenders: the contenders to time.
        loops: the loops that measure the peak; none if it is unknown.
        results: the results to add to.
        seconds: approximate duration.
        say: prints a line of progress.

    Raises:
        KeyboardInterrupt: the user interrupted the pass; the times measured before are kept.
    """
    openers: dict[Subject, Callable[[], Call]] = {}
    images: dict[Subject, int] = {}  # in a call
    image = sample_image()
    macs: dict[str, int] = {}  # by network, from our file, and used for its peers too
    for contender in contenders:
        subject = contender.subject
        row = results.row(subject, size_bytes=contender.size_bytes, sha256=contender.sha256)
        opener = partial(contender.call, image)
        try:
            opener()()
        except (EdgeRuntimeError, RuntimeError, ValueError) as exc:
            row.latency, row.reasons["latency"] = None, str(exc)
            continue
        images[subject] = subject.batch * contender.images
        if subject.runtime == OURS and contender.images == 1:
            row.macs = multiply_adds(contender.path)
            macs.setdefault(subject.network, row.macs)
        openers[subject] = opener
        if row.latency is None:
            row.reasons["latency"] = "interrupted before its turn"
    if not openers:
        return
    base = reference(list(openers))
    others = [subject for subject in openers if subject != base] or [base]
    say(f"latency: {len(openers)} of {base.network} in turn")
    groups: list[Group] = [{s.name: openers[s] for s in (base, other)} for other in others]
    if loops:
        groups.append({loop.name: loop.open for loop in loops})
    series, complete = take_turns(groups, seconds)
    of_loops = series[-1].times
    reached = peak.reached(loops, of_loops) if loops and of_loops else {}
    if reached and (complete or base.network not in results.peak):
        results.peak[base.network] = reached
    of_base = []
    for other, (times, stretch, error) in zip(others, series, strict=False):
        if error:
            results.rows[other.name].latency = None
            results.rows[other.name].reasons["latency"] = error
            continue
        if not times:
            continue
        of_base.append(times[base.name] // images[base])
        of_other = times[other.name] // images[other]
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
        return  # complete figures of a previous run are better than partial ones of this run
    row.latency = asdict(summary) | more | {"complete": complete, "machine": machine()}
    row.latency["of_peak"] = peak.share(row, reached)


def sample_image() -> NDArray[np.uint8]:
    """Return the image that all contenders are timed on: uint8 (32, 32, 3), RGB."""
    return np.asarray(Image.open(shipped.samples()["ship"]).convert("RGB"))


def machine() -> str:
    """Return the CPU and its instruction sets; times from different CPUs are not comparable."""
    environment = read_environment()
    return f"{environment.cpu} ({environment.architecture}: {' '.join(environment.instructions)})"


def reference(subjects: Sequence[Subject]) -> Subject:
    """Return the subject that the others are compared with.

    It is our int8 file on XNNPACK, with one thread and one image per call; if that is missing, the
    most similar subject.
    """

    def distance(subject: Subject) -> tuple[bool, ...]:
        return (
            subject.runtime != OURS,
            subject.precision != "int8",
            subject.delegate != "xnnpack",
            subject.threads * subject.batch != 1,
        )

    return min(subjects, key=distance)
