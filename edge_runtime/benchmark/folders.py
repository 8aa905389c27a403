"""How many images a second a folder gives, by the number of processes that share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from edge_runtime.benchmark.pipeline import Setting
from edge_runtime.inference.model import Model
from edge_runtime.inputs.names import Source
from edge_runtime.jobs.files import classify_source
from edge_runtime.jobs.pool import CHUNK, Pool
from edge_runtime.support.timing import FEWEST_STRETCHES, measure

_ROUND_S = 0.2  # for each number of processes
_MIN_CHUNKS, _MAX_CHUNKS = 4, 100  # that each process gets in a round
_ROUNDS = 2 * FEWEST_STRETCHES


def measure_folders(
    settings: Sequence[Setting], images: Sequence[Path], show: Callable[[str], None]
) -> dict[Setting, NDArray[np.int64]]:
    """Time the classification of many images, interleaved.

    Each process gets equally many images in a round, because a real folder is so long that what
    some processes have left at its end does not matter.

    Args:
        settings: delegate and number of processes (as `threads`); more than one on the CPU only.
        images: files to classify, repeatedly.
        show: displays what is being done.

    Returns:
        By setting int64 (rounds,), nanoseconds per image. A system that can start no process has
        only the settings with one.

    Raises:
        ModelError: the model cannot be used.
        DelegateError: a delegate cannot be used.
    """
    with ExitStack() as stack:
        work: dict[Setting, Callable[[int], None]] = {}
        for delegate in dict.fromkeys(setting.delegate for setting in settings):
            ours = [setting for setting in settings if setting.delegate == delegate]
            model = stack.enter_context(Model(ours[0].model, delegate=delegate))
            most = max(setting.threads for setting in ours)
            pool = None
            if most > 1:
                with suppress(OSError):
                    pool = Pool(model, processes=most, top_k=1)
                    stack.callback(pool.close)
            for setting in ours:
                if setting.threads == 1:
                    work[setting] = partial(_in_this_process, model, images)
                elif pool is not None:
                    work[setting] = partial(_in_pool, pool, setting.threads, images)
        started = perf_counter()
        next(iter(work.values()))(CHUNK)
        chunk_s = perf_counter() - started
        each = CHUNK * int(np.clip(_ROUND_S / chunk_s, _MIN_CHUNKS, _MAX_CHUNKS))
        calls = {str(n): partial(work[s], s.threads * each) for n, s in enumerate(work)}
        rounds = []
        for done in range(_ROUNDS + 1):
            show(f"{settings[0].model}, many images: {done} of {_ROUNDS} rounds")
            rounds.append([times[0] for times in measure(calls, rounds=1, warm_up=0).values()])
    times_ns = np.array(rounds[1:]).T  # the first round starts the processes
    return {
        setting: times // (setting.threads * each)
        for setting, times in zip(work, times_ns, strict=True)
    }


def _in_this_process(model: Model, images: Sequence[Path], count: int) -> None:
    for source in _sources(images, count):
        classify_source(model, source, top_k=1)


def _in_pool(pool: Pool, processes: int, images: Sequence[Path], count: int) -> None:
    for _ in pool.results(_sources(images, count), processes=processes):
        pass


def _sources(images: Sequence[Path], count: int) -> Iterator[Source]:
    return islice(cycle([Source(str(image)) for image in images]), count)
