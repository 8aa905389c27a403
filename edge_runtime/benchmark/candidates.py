"""Which settings of a model `--tune` compares: those that agree with the reference kernels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from edge_runtime.benchmark.pipeline import Setting
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.inference.delegates import open_agreeing, reference_of
from edge_runtime.inference.loading import samples
from edge_runtime.inference.model import Model
from edge_runtime.inference.opening import open_engine
from edge_runtime.inference.placement import ACCELERATORS, DELEGATES
from edge_runtime.inference.scores import decide
from edge_runtime.support.timing import measure

_ROUNDS = 15
_HOPELESS = 2.0  # times the time of the best with as many threads


class Candidate(NamedTuple):
    """A setting and what a first look at it gave.

    Attributes:
        setting: the model, its delegate and its threads.
        refused: why it does not count; empty if it agrees.
        first_us: least time of one image in the first look, in microseconds; NaN if refused.
    """

    setting: Setting
    refused: str
    first_us: float


def counts(cores: int) -> list[int]:
    """Return the numbers of threads to try: 1, 2, 3, 4, 6, 8, 12, 16 and so on, and all cores."""
    steps = {1, *(factor << power for factor in (2, 3) for power in range(cores.bit_length()))}
    return sorted({step for step in steps if step < cores} | {cores})


def look(model: str, cores: int, show: Callable[[str], None] = lambda _: None) -> list[Candidate]:
    """Return every setting, the simplest first, after a first look at what it computes.

    Args:
        model: a .tflite file, or the name of a shipped model.
        cores: the largest number of threads.
        show: displays what is being done.

    Raises:
        ModelError: the model cannot be used.
    """
    with Model(model, delegate="cpu", accept_all=True) as loaded:
        path, preprocessing = loaded.path, loaded.preprocessing
    on_cpu = open_engine(path, delegate="cpu")
    reference = reference_of(
        on_cpu,
        [preprocessing(sample) for sample in shipped.samples().values()],
        logits=decide("auto", on_cpu, samples(preprocessing)).logits,
    )
    found: list[Candidate] = []
    for delegate, threads in _settings(cores):
        setting = Setting(model, delegate, threads)
        if any(c.refused for c in found if c.setting.delegate == delegate):
            continue  # one row says why
        show(f"{model}: {delegate}, threads {threads}")
        try:
            engine = open_agreeing(path, delegate, reference, threads=threads)
            run = partial(engine.run, reference.images[0])
            times = measure({"": run}, rounds=_ROUNDS, warm_up=3)[""]
            found.append(Candidate(setting, "", float(times.min()) / 1000))
        except EdgeRuntimeError as exc:
            found.append(Candidate(setting, str(exc).partition(";")[0], np.nan))
    return found


def promising(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the candidates that are worth a longer measurement.

    These are the simplest one, with which the others are compared, and all that take at most twice
    as long as the fastest CPU delegate with as many threads.

    Args:
        candidates: from `look`.
    """
    agreeing = [c for c in candidates if not c.refused]
    best: dict[int, float] = {}
    for candidate in agreeing:
        if candidate.setting.delegate not in ACCELERATORS:
            threads = candidate.setting.threads
            best[threads] = min(candidate.first_us, best.get(threads, np.inf))
    return [
        candidate
        for number, candidate in enumerate(agreeing)
        if number == 0
        or candidate.first_us <= _HOPELESS * best.get(candidate.setting.threads, np.inf)
    ]


def _settings(cores: int) -> Sequence[tuple[str, int]]:
    """Return delegates and threads: few threads before many, accelerators last."""
    on_cpu = [delegate for delegate in DELEGATES if delegate not in ACCELERATORS]
    settings = [(delegate, threads) for threads in counts(cores) for delegate in on_cpu]
    return [*settings, *((delegate, 1) for delegate in ACCELERATORS)]
