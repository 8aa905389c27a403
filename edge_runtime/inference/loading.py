"""Loading a model: the file is read and tried, its graph is opened, and `auto` makes its choice."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.errors import ModelError, OptionError
from edge_runtime.inference import shipped, trial
from edge_runtime.inference.engine import Engine, open_engine
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.placement import CPU_DELEGATES
from edge_runtime.inference.preprocessing import Preprocessing

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.acceptance import Acceptance, MaxError
    from edge_runtime.inference.metadata import Metadata

_SAMPLES = 3  # on which a delegate is compared with the CPU, and scores are told from logits


class Options(NamedTuple):
    """What the caller of `edge_runtime.inference.model.Model` asked for, checked."""

    path: Path
    delegate: str
    threads: int
    gpu_precision: str
    labels: tuple[str, ...] | None
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    fit: str | None
    scores: str
    allow_urls: bool
    accept_all: bool
    max_error: MaxError | None


def load(options: Options) -> tuple[Metadata, Engine]:
    """Read what the file says and open its graph; for `auto`, on the reference kernels."""
    delegate = "cpu" if options.delegate == "auto" else options.delegate
    try:
        metadata = read_metadata(options.path)
        trial.ensure_sound(options.path, delegate, gpu_precision=options.gpu_precision)
    except OSError as exc:
        raise ModelError(f"{options.path} cannot be read ({exc.strerror}).") from exc
    if metadata.card.get("kind") == "feature extractor" and options.scores == "auto":
        raise ModelError(
            f"{options.path} gives features instead of scores; teach it your classes with "
            f"edge-teach."
        )
    engine = open_engine(
        options.path,
        delegate=delegate,
        threads=options.threads,
        gpu_precision=options.gpu_precision,
    )
    return metadata, engine


def samples(preprocessing: Preprocessing) -> Iterator[NDArray[Any]]:
    """Yield a few shipped images as tensors of a model's input."""
    yield from map(preprocessing, islice(shipped.samples().values(), _SAMPLES))


def settle(
    options: Options, engine: Engine, preprocessing: Preprocessing, logits: bool
) -> tuple[Engine, str]:
    """Return the engine to use, and why `auto` chose it.

    Args:
        options: what the caller of `Model` asked for.
        engine: from `load`.
        preprocessing: for the engine's input.
        logits: whether the graph's output is logits.

    Raises:
        DelegateError: an accelerator computes the model wrongly.
    """
    if options.delegate in CPU_DELEGATES:
        return engine, ""
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
        threads=options.threads,
        gpu_precision=options.gpu_precision,
    )
    return choice.engine, choice.reason


def reopen(path: Path, options: Options, engine: Engine) -> Engine:
    """Return an engine like this one, in a child that was forked while threads may have used it.

    LiteRT's interpreter refuses to run if a thread of the parent was inside. Freeing it would wait
    for threads that the child does not have, so the old engine stays in memory.

    Args:
        path: the model file, absolute because the working directory may have changed.
        options: what the caller of `Model` asked for.
        engine: the parent's.

    Raises:
        ModelError: the file is gone or has changed.
        DelegateError: the delegate cannot be used in a child.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(engine))
    return open_engine(
        path,
        delegate=engine.placement.delegate,
        threads=options.threads,
        gpu_precision=options.gpu_precision,
    )


def acceptance_of(
    options: Options, metadata: Metadata, labels: tuple[str, ...]
) -> Acceptance | None:
    """Return which best classes count; None if all do.

    Args:
        options: what the caller of `Model` asked for.
        metadata: of the model file.
        labels: of the model's classes.

    Raises:
        OptionError: the error that the caller allows cannot be kept, or not with these options.
    """
    shipped_file = options.path.parent == shipped.MODELS
    if options.accept_all:
        return None
    if options.max_error is None and shipped_file and "acceptance" not in metadata.card:
        return None
    from edge_runtime.inference.acceptance import accept, read_sidecar

    measured = None if shipped_file else read_sidecar(options.path)
    if measured is None:
        measured = metadata.card.get("acceptance")
    changed = [
        name
        for name, given in (
            ("--mean", options.mean),
            ("--std", options.std),
            ("--fit", options.fit),
            ("--gpu-precision fp16", options.gpu_precision == "fp16" or None),
        )
        if given is not None
    ]
    if options.max_error is not None and changed:
        raise OptionError(
            f"--max-error was not measured with {' and '.join(changed)}; omit that, or --max-error."
        )
    return accept(measured, labels, options.max_error)


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
    raise OptionError(f"Expected {classes} labels, one for each class, but got {len(labels)}.")
