"""Which delegates work on this machine, and which of them is the fastest for a model.

xnnpack    LiteRT's default for the CPU
cpu        LiteRT's built-in kernels
openvino   OpenVINO on the CPU
gpu        WebGPU, through Vulkan, Metal or Direct3D
npu        a vendor's library
auto       the fastest of these whose scores agree with those of `cpu`
a path     the library of an external delegate, such as the Edge TPU's
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_runtime.errors import DelegateError, EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.inference.opening import open_engine
from edge_runtime.inference.placement import DELEGATES
from edge_runtime.inference.scores import softmax
from edge_runtime.inference.trial import ensure_sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.engine import Engine

_ROUNDS = 15

# Scores (0-1) may differ from the CPU's by this much. One step of an int8 score is 1/256, and
# XNNPACK differs from the built-in kernels by up to 8 steps.
_INTEGER_TOLERANCE = 16 / 256
_FLOAT_TOLERANCE = 1e-3

# Rounding, even to half precision, moves a score by a small part of the highest one. A delegate
# that computes something else takes most of it away.
_MOST_MOVED = 0.5


class Availability(NamedTuple):
    """Whether a delegate works on this machine, and why not.

    Attributes:
        delegate: name of the delegate.
        available: whether it ran the shipped model.
        reason: why it did not, or an empty string.
    """

    delegate: str
    available: bool
    reason: str


class Reference(NamedTuple):
    """What LiteRT's built-in kernels give for some images.

    Attributes:
        engine: the file's engine on `cpu`.
        images: tensors of the input's shape and type.
        scores: scores or logits of each image, float32 (classes,).
        logits: whether these are logits, see `edge_runtime.inference.scores.decide`.
    """

    engine: Engine
    images: Sequence[NDArray[Any]]
    scores: Sequence[NDArray[np.float32]]
    logits: bool


class Choice(NamedTuple):
    """The engine that `auto` chose, and why."""

    engine: Engine
    reason: str


def available_delegates() -> list[Availability]:
    """Try every delegate on the shipped model, in a child process first if it may crash."""
    path = shipped.models()[shipped.DEFAULT_MODEL]
    found = []
    for name in DELEGATES:
        try:
            ensure_sound(path, name)
            open_engine(path, delegate=name)
            found.append(Availability(name, True, ""))
        except EdgeRuntimeError as exc:
            found.append(Availability(name, False, str(exc)))
    return found


def choose(
    path: Path,
    on_cpu: Engine,
    images: Sequence[NDArray[Any]],
    *,
    logits: bool,
    threads: int = 1,
    gpu_precision: str = "fp32",
) -> Choice:
    """Return the fastest engine whose scores agree with those of LiteRT's built-in CPU kernels.

    They agree if every image has the same best class and no score differs by more than 16/256 (if
    the graph uses integers) or 1e-3.

    Args:
        path: the model file.
        on_cpu: the file's engine on `cpu`, opened with the same number of threads.
        images: tensors of the input's shape and type, on which the delegates are tried.
        logits: whether the graph's output is logits, see `edge_runtime.inference.scores.decide`.
        threads: CPU threads for one image.
        gpu_precision: type in which the GPU computes, `fp32` or `fp16`.

    Raises:
        ModelError: the model cannot be run at all.
        OSError: the file cannot be read.
    """
    reference = reference_of(on_cpu, images, logits=logits)
    good: dict[str, Engine] = {"cpu": on_cpu}
    reasons = []
    for name in (name for name in DELEGATES if name != "cpu"):
        try:
            good[name] = open_agreeing(
                path, name, reference, threads=threads, gpu_precision=gpu_precision
            )
        except EdgeRuntimeError as exc:
            # What follows the semicolon is advice for those who asked for this delegate.
            reasons.append(f"not {name}: {str(exc).partition(';')[0]}")
    from edge_runtime.support.timing import measure  # because only `auto` measures

    times = measure(
        {name: partial(engine.run, images[0]) for name, engine in good.items()},
        rounds=_ROUNDS,
        warm_up=3,
    )
    us = {name: float(np.median(times_ns)) / 1000 for name, times_ns in times.items()}
    best = min(us, key=us.__getitem__)
    measured = ", ".join(f"{name} {us[name]:.0f} us" for name in sorted(us, key=us.__getitem__))
    return Choice(good[best], "; ".join([f"{best}: {measured} an image", *reasons]))


def reference_of(engine: Engine, images: Sequence[NDArray[Any]], *, logits: bool) -> Reference:
    """Return what an engine on `cpu` gives for some images; the arguments are its fields.

    Raises:
        ModelError: the engine cannot run an image.
    """
    return Reference(engine, images, [_raw_scores(engine, image) for image in images], logits)


def open_agreeing(
    path: Path,
    delegate: str,
    reference: Reference,
    *,
    threads: int = 1,
    gpu_precision: str = "fp32",
) -> Engine:
    """Open a model on a delegate whose scores agree with the reference, as `choose` says.

    Args:
        path: the model file.
        delegate: one of `DELEGATES`.
        reference: scores of the same file.
        threads: CPU threads for one image.
        gpu_precision: type in which the GPU computes, `fp32` or `fp16`.

    Raises:
        DelegateError: the delegate is not available, does not take the model, or disagrees.
        ModelError: the model cannot be run.
        OSError: the file cannot be read.
    """
    ensure_sound(path, delegate, gpu_precision=gpu_precision)
    engine = open_engine(
        path,
        delegate=delegate,
        threads=threads,
        gpu_precision=gpu_precision,
        on_cpu=reference.engine,
    )
    difference = difference_from(
        reference.scores, engine, reference.images, logits=reference.logits
    )
    if difference is not None:
        raise DelegateError(difference)
    return engine


def ensure_agrees(
    path: Path, engine: Engine, images: Sequence[NDArray[Any]], *, delegate: str, logits: bool
) -> None:
    """Reject an engine that computes a model wrongly: its scores are far from XNNPACK's.

    LiteRT's GPU delegate accepts some graphs without complaint and computes them wrongly, such as
    int8 graphs with strided 1 x 1 convolutions (see `export.gpu_workaround`). A model that XNNPACK
    cannot run, such as one compiled for an accelerator, is not judged.

    Args:
        path: the model file.
        engine: the file's engine on the delegate.
        images: tensors of the input's shape and type, on which it is tried.
        delegate: name of the delegate, for the error.
        logits: whether the graph's output is logits.

    Raises:
        DelegateError: a score differs by more than half of the highest score, and by more than
            rounding of integers explains.
    """
    try:
        reference = open_engine(path, delegate="xnnpack")
    except EdgeRuntimeError:
        return
    for image in images:
        ours, theirs = (_scores(e, image, logits=logits) for e in (engine, reference))
        difference = np.abs(ours - theirs)
        most = max(_INTEGER_TOLERANCE, _MOST_MOVED * float(max(ours.max(), theirs.max())))
        if not difference.max() <= most:  # NaN fails this too
            worst = int(difference.argmax())
            raise DelegateError(
                f"The {delegate} computes {path} wrongly (on a sample image class {worst} scores "
                f"{ours[worst]:.2f}, {theirs[worst]:.2f} on the CPU); use --delegate xnnpack."
            )


def difference_from(
    expected: Sequence[NDArray[np.float32]],
    engine: Engine,
    images: Sequence[NDArray[Any]],
    *,
    logits: bool = False,
) -> str | None:
    """Return how an engine's scores differ from expected ones by more than rounding explains.

    Args:
        expected: scores or logits of each image, float32 (classes,).
        engine: the engine to compare.
        images: tensors of the input's shape and type.
        logits: whether these are logits.

    Returns:
        A clause for a message, or None if they agree.

    Raises:
        ModelError: the engine cannot run an image.
    """
    tolerance = _INTEGER_TOLERANCE if engine.integer else _FLOAT_TOLERANCE
    for number, (image, theirs) in enumerate(zip(images, expected, strict=True), start=1):
        ours = _raw_scores(engine, image)
        span = 1.0 if not logits else max(1.0, float(np.ptp(theirs)))
        worst = float(np.abs(ours - theirs).max())
        if not worst <= tolerance * span:  # NaN fails this too
            return f"its scores differ from the CPU's by {worst:.3f} on sample {number}"
        if ours.argmax() != theirs.argmax():
            return f"it sees another class than the CPU on sample {number}"
    return None


def _scores(engine: Engine, image: NDArray[Any], *, logits: bool) -> NDArray[np.float32]:
    scores = _raw_scores(engine, image)
    return softmax(scores) if logits else scores


def _raw_scores(engine: Engine, image: NDArray[Any]) -> NDArray[np.float32]:
    """Return scores, or logits if the graph ends in them."""
    return engine.output.quantization.dequantize(engine.run(image))
