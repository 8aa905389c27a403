"""Loading a model: the file is read and tried, its graph is opened, and `auto` makes its choice."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.errors import EdgeRuntimeError, ModelError, OptionError
from edge_runtime.inference import shipped, trial
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.opening import open_engine
from edge_runtime.inference.options import difference
from edge_runtime.inference.placement import CPU_DELEGATES
from edge_runtime.inference.preprocessing import Preprocessing
from edge_runtime.support.cores import usable_cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.acceptance import Acceptance
    from edge_runtime.inference.engine import Engine
    from edge_runtime.inference.metadata import Metadata
    from edge_runtime.inference.options import Options

_SAMPLES = 3  # on which a delegate is compared with the CPU, and scores are told from logits


def stamp(path: Path) -> tuple[int, ...]:
    """Return what tells a model file from another one that takes its place, without reading it.

    Returns:
        Size, time of the last change, and number of the file in its file system. A hash would cost
        each start the reading of the whole file.

    Raises:
        ModelError: the file is gone or cannot be read.
    """
    try:
        found = path.stat()
    except OSError as exc:
        raise ModelError(f"{path} cannot be read ({exc.strerror}); put it back.") from exc
    return found.st_size, found.st_mtime_ns, found.st_ino


def require_unchanged(path: Path, opened: Sequence[int]) -> None:
    """Raise a ModelError if a model file is gone, or is not the one that was opened.

    Args:
        path: the file.
        opened: its stamp when it was opened.
    """
    if stamp(path) != tuple(opened):
        raise ModelError(f"{path} has changed since it was opened; open it again.")


class Loaded(NamedTuple):
    """A model file that was opened.

    Attributes:
        metadata: what the file says.
        engine: its graph; for `auto`, on the reference kernels until `settle` has chosen.
        threads: CPU threads for one image.
        processes: number of processes for many images.
        tuned: whether `auto` took this from `edge_runtime.inference.tuning`.
        reason: why, or why not although something is kept; otherwise empty.
    """

    metadata: Metadata
    engine: Engine
    threads: int
    processes: int
    tuned: bool
    reason: str


def load(options: Options) -> Loaded:
    """Read what the file says and open its graph.

    Raises:
        ModelError: the file is not an image classifier, or cannot be read.
        DelegateError: the delegate is not available, or does not take the model.
    """
    note = ""
    try:
        metadata = read_metadata(options.path)
        if metadata.card.get("kind") == "feature extractor" and options.scores == "auto":
            raise ModelError(
                f"{options.path} gives features instead of scores; teach it your classes with "
                f"edge-teach."
            )
        if options.delegate == "auto" and options.gpu_precision == "fp32":
            loaded, note = _load_tuned(options, metadata)
            if loaded is not None:
                return loaded
        delegate = "cpu" if options.delegate == "auto" else options.delegate
        trial.ensure_sound(options.path, delegate, gpu_precision=options.gpu_precision)
    except OSError as exc:
        raise ModelError(f"{options.path} cannot be read ({exc.strerror}).") from exc
    threads = options.threads or (usable_cores() if options.many else 1)
    engine = open_engine(
        options.path, delegate=delegate, threads=threads, gpu_precision=options.gpu_precision
    )
    return Loaded(metadata, engine, threads, threads, tuned=False, reason=note)


def _load_tuned(options: Options, metadata: Metadata) -> tuple[Loaded | None, str]:
    """Load a model as it was tuned, untried and uncompared; or say why what is kept is not used.

    Raises:
        OSError: the file cannot be read.
    """
    from edge_runtime.inference.tuning import recall, worded

    tuned, note = recall(options.path)
    if tuned is None:
        return None, note
    chosen, unit = (tuned.many, "process") if options.many else (tuned.one, "thread")
    threads = tuned.one.threads if tuned.one.delegate == chosen.delegate else 1
    processes = tuned.many.threads if options.many else 1
    if options.threads is not None:
        threads = processes = options.threads
    try:
        engine = open_engine(options.path, delegate=chosen.delegate, threads=threads)
    except EdgeRuntimeError as exc:
        return None, f"what was tuned on {tuned.day} fails: {str(exc).partition(';')[0]}"
    reason = (
        f"{chosen.delegate}, tuned on {tuned.day}: "
        f"{worded(chosen.delegate, chosen.threads, unit)} ({chosen.advantage})"
    )
    return Loaded(metadata, engine, threads, processes, tuned=True, reason=reason), ""


def samples(preprocessing: Preprocessing) -> Iterator[NDArray[Any]]:
    """Yield a few shipped images as tensors of a model's input."""
    yield from map(preprocessing, islice(shipped.samples().values(), _SAMPLES))


def settle(
    options: Options, loaded: Loaded, preprocessing: Preprocessing, logits: bool
) -> tuple[Engine, str]:
    """Return the engine to use, and why `auto` chose it.

    Args:
        options: what the caller of `Model` asked for.
        loaded: from `load`.
        preprocessing: for the engine's input.
        logits: whether the graph's output is logits.

    Raises:
        DelegateError: an accelerator computes the model wrongly.
    """
    engine = loaded.engine
    if loaded.tuned or options.delegate in CPU_DELEGATES:
        return engine, loaded.reason
    from edge_runtime.inference.delegates import choose, ensure_agrees

    if options.delegate != "auto":
        images = list(samples(preprocessing))
        ensure_agrees(options.path, engine, images, delegate=options.delegate, logits=logits)
        return engine, ""
    choice = choose(
        options.path,
        engine,
        [preprocessing(path) for path in shipped.samples().values()],
        logits=logits,
        threads=loaded.threads,
        gpu_precision=options.gpu_precision,
    )
    return choice.engine, "; ".join(filter(None, (choice.reason, loaded.reason)))


def reopen(path: Path, opened: Sequence[int], options: Options, engine: Engine) -> Engine:
    """Return an engine like this one, in a child that was forked while threads may have used it.

    LiteRT's interpreter refuses to run if a thread of the parent was inside. Freeing it would wait
    for threads that the child does not have, so the old engine stays in memory.

    Args:
        path: the model file, absolute because the working directory may have changed.
        opened: the file's stamp when the parent opened it.
        options: what the caller of `Model` asked for.
        engine: the parent's.

    Raises:
        ModelError: the file is gone or has changed.
        DelegateError: the delegate cannot be used in a child.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
    require_unchanged(path, opened)
    return open_engine(
        path,
        delegate=engine.placement.delegate,
        threads=engine.placement.threads,
        gpu_precision=options.gpu_precision,
    )


def acceptance_of(
    options: Options, metadata: Metadata, labels: tuple[str, ...]
) -> tuple[Acceptance | None, tuple[str, ...]]:
    """Return which best classes count, None if all do; and what was left out.

    Args:
        options: what the caller of `Model` asked for.
        metadata: of the model file.
        labels: of the model's classes.

    Raises:
        OptionError: as for `accepted_by`.
    """
    if options.accept_all:
        return None, ()
    measured: Mapping[str, Any] | None = metadata.card.get("acceptance")
    left_out: tuple[str, ...] = ()
    if not shipped.is_shipped(options.path):  # theirs would only slow the start
        from edge_runtime.inference.sidecar import recorded

        measured, left_out = recorded(options.path, metadata.card)
    return accepted_by(options, measured, labels, metadata.labels), left_out


def accepted_by(
    options: Options,
    measured: Mapping[str, Any] | None,
    labels: tuple[str, ...],
    own: tuple[str, ...],
) -> Acceptance | None:
    """Return which best classes count by what was measured; None if all do.

    Args:
        options: what the caller of `Model` asked for.
        measured: `acceptance` of a model card; None if nothing was measured.
        labels: of the model's classes.
        own: labels in the model file; empty if it has none.

    Raises:
        OptionError: the error that the caller allows cannot be kept, or not with these options.
    """
    if options.accept_all or (measured is None and options.max_error is None):
        return None
    from edge_runtime.inference.acceptance import accept

    then, now = difference(measured, options) if isinstance(measured, Mapping) else ("", "")
    if now and options.max_error is not None:
        raise OptionError(
            f"--max-error was measured with {then}, not with {now}; use the same options, or "
            f"measure one model on images of your own with these and --judge FOLDER --save."
        )
    found = accept(measured, labels, options.max_error, own=own)
    if now and found is not None:
        return found._replace(promise=f"The threshold was measured with {then}, not with {now}.")
    return found


def choose_labels(
    options: Options, metadata: Metadata, classes: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return one label a class, and what had to be assumed for that.

    Args:
        options: what the caller of `Model` asked for.
        metadata: from `edge_runtime.inference.metadata.matching`.
        classes: number of the graph's scores.
    """
    if options.labels is None and not metadata.labels:
        return tuple(map(str, range(classes))), ("class numbers stand in for labels",)
    labels = metadata.labels if options.labels is None else options.labels
    if len(labels) == classes:
        return labels, ()
    raise OptionError(
        f"Expected `labels` to be {classes} names, one for each class, but got {len(labels)}."
    )
