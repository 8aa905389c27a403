"""Find what is fastest for a model on this device, among what computes the right scores.

For one image these are the delegates with several numbers of threads, and for a folder several
numbers of processes. What runs without tuning stays unless something is faster by more than the
noise: one thread, and one process a core.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from edge_runtime.benchmark.candidates import Candidate, counts, look, promising
from edge_runtime.benchmark.folders import measure_folders
from edge_runtime.benchmark.images import BenchmarkImages
from edge_runtime.benchmark.pipeline import Setting
from edge_runtime.benchmark.run import run
from edge_runtime.benchmark.session import Measurement, Plan, Session
from edge_runtime.benchmark.verdicts import compare_rows
from edge_runtime.errors import DelegateError, ModelError
from edge_runtime.inference.placement import ACCELERATORS
from edge_runtime.inference.tuning import Chosen, Tuned, worded
from edge_runtime.support.cores import usable_cores
from edge_runtime.support.timing import TimeRatio, compare_times

_STAGE = "invoke"
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Tuning:
    """What was measured for a model, and what follows.

    Attributes:
        model: as the user named it.
        candidates: every setting for one image, also those that do not count.
        session: the measurement of those that are promising.
        folders: nanoseconds per image of a folder, int64 (rounds,), by delegate and processes.
        tuned: the choice.
    """

    model: str
    candidates: Sequence[Candidate]
    session: Session
    folders: Mapping[Setting, NDArray[np.int64]]
    tuned: Tuned


def tune(
    model: str,
    images: BenchmarkImages,
    show: Callable[[str], None] = lambda _: None,
    *,
    calls: int | None = None,
) -> Tuning:
    """Measure a model and choose.

    Args:
        model: a .tflite file, or the name of a shipped model.
        images: the images to classify.
        show: displays what is being done.
        calls: as in `Plan`.

    Raises:
        ModelError: the model cannot be used.
        DelegateError: no delegate runs it.
        ImageError: an image cannot be read.
        KeyboardInterrupt: the user stopped it.
    """
    cores = usable_cores()
    candidates = look(model, cores, show)
    plan = Plan([c.setting for c in promising(candidates)], images, calls=calls, cold_starts=0)
    if not plan.settings:
        raise DelegateError(f"No delegate computes {model} here; see edge-classify --check.")
    session = run(plan, show)
    if session.interrupted:
        raise KeyboardInterrupt
    rows = [row for row in session.rows if not row.error]
    if not rows:
        raise ModelError(session.rows[0].error or f"{model} could not be measured.")
    row, over = fastest(rows, lambda base, row: compare_rows(session, base, row, _STAGE))
    folders = measure_folders(_folder_settings(session, rows, cores), images.paths, show)
    most, over_one = fastest(
        list(folders), lambda base, other: compare_times(folders[base], folders[other])
    )
    tuned = Tuned(
        model,
        session.started.astimezone().date().isoformat(),
        _chosen(row.setting, "thread", over, rows[0].setting),
        _chosen(most, "process", over_one, next(iter(folders))),
    )
    return Tuning(model, candidates, session, folders, tuned)


def fastest(
    items: Sequence[_Item], compare: Callable[[_Item, _Item], TimeRatio]
) -> tuple[_Item, float]:
    """Return the first of some items that no later one beats by more than the noise.

    Args:
        items: what runs without tuning first, then the simpler before the others.
        compare: says whether the second of two is faster than the first.

    Returns:
        The item, and its time divided by that of the first item.
    """
    best, ratio = items[0], 1.0
    for item in items[1:]:
        if compare(best, item).verdict == "faster":
            best = item
            ratio = compare(items[0], item).ratio
    return best, ratio


def _chosen(setting: Setting, unit: str, ratio: float, simplest: Setting) -> Chosen:
    over = worded(simplest.delegate, simplest.threads, unit)
    return Chosen(setting.delegate, setting.threads, 1 / ratio, over)


def _folder_settings(session: Session, rows: Sequence[Measurement], cores: int) -> list[Setting]:
    """Return what to try for a folder: processes on the best CPU delegate, and accelerators.

    Only one process uses an accelerator, because more would queue for it.
    """
    single = [row for row in rows if row.setting.threads == 1]
    on_cpu = [row for row in single if row.setting.delegate not in ACCELERATORS]
    settings = [row.setting for row in single if row.setting.delegate in ACCELERATORS]
    if on_cpu:
        best, _ = fastest(on_cpu, lambda base, row: compare_rows(session, base, row, _STAGE))
        settings = [best.setting._replace(threads=n) for n in counts(cores)[::-1]] + settings
    return settings
