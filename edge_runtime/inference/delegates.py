"""Which delegates this machine has, and which of them serves a model best.

xnnpack    LiteRT's default for the CPU
cpu        LiteRT's built-in kernels
gpu        WebGPU, through Vulkan, Metal or Direct3D
npu        a vendor's library
auto       the fastest of these whose answers agree with `cpu`
a path     an external delegate's library, such as the Edge TPU's
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_runtime.errors import DelegateError, EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.inference import trial as probe
from edge_runtime.inference.engine import Engine, open_engine
from edge_runtime.inference.scores import softmax

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = ("xnnpack", "cpu", "gpu", "npu")
_ROUNDS = 15

# By how much scores (0-1) may differ from the CPU's: one step of an int8 score is 1/256, and
# XNNPACK differs from the built-in kernels by up to 8 of them.
_INTEGER_TOLERANCE = 16 / 256
_FLOAT_TOLERANCE = 1e-3

# Rounding, half precision too, moves a score by a small part of the highest one; a delegate that
# computes something else takes most of it away.
_MOST_MOVED = 0.5


class Availability(NamedTuple):
    """Whether a delegate works on this machine, and why not.

    Attributes:
        delegate: its name.
        available: whether it ran the shipped model.
        reason: why not, or an empty string.
    """

    delegate: str
    available: bool
    reason: str


class Choice(NamedTuple):
    """What `auto` decided on, and why."""

    engine: Engine
    reason: str


def available_delegates() -> list[Availability]:
    """Try every delegate on the shipped model; those that may crash, in a child process first."""
    path = shipped.models()[shipped.DEFAULT_MODEL]
    found = []
    for name in NAMES:
        try:
            probe.ensure_sound(path, name)
            open_engine(path, delegate=name)
            found.append(Availability(name, True, ""))
        except EdgeRuntimeError as exc:
            found.append(Availability(name, False, str(exc)))
    return found


def choose(
    path: Path, images: Sequence[NDArray[Any]], *, threads: int = 1, gpu_precision: str = "fp32"
) -> Choice:
    """Return the fastest delegate whose answers agree with LiteRT's built-in CPU kernels.

    It agrees, if on every image the same class is best and no score differs by more than 16/256
    (of graphs with integers) or 1e-3.

    Args:
        images: of the input's shape and type, to try the delegates on.

    Raises:
        ModelError: the model cannot be used at all.
        OSError: the file cannot be read.
    """
    reference = open_engine(path, delegate="cpu", threads=threads)
    expected = [_scores(reference, image) for image in images]
    good: dict[str, Engine] = {"cpu": reference}
    reasons = []
    for name in (name for name in NAMES if name != "cpu"):
        try:
            probe.ensure_sound(path, name, gpu_precision=gpu_precision)
            engine = open_engine(path, delegate=name, threads=threads, gpu_precision=gpu_precision)
            difference = _difference(engine, images, expected)
        except EdgeRuntimeError as exc:
            reasons.append(f"not {name}: {exc}")
            continue
        if difference is None:
            good[name] = engine
        else:
            reasons.append(f"not {name}: {difference}")
    from edge_runtime.support.timing import measure  # only `auto` measures

    times = measure(
        {name: partial(engine.run, images[0]) for name, engine in good.items()},
        rounds=_ROUNDS,
        warm_up=3,
    )
    us = {name: float(np.median(times_ns)) / 1000 for name, times_ns in times.items()}
    best = min(us, key=us.__getitem__)
    measured = ", ".join(f"{name} {us[name]:.0f} us" for name in sorted(us, key=us.__getitem__))
    return Choice(good[best], "; ".join([f"{best}: {measured} an image", *reasons]))


def ensure_agrees(
    path: Path, engine: Engine, images: Sequence[NDArray[Any]], *, delegate: str
) -> None:
    """Refuse an engine whose answers are not the model's: XNNPACK gives quite other scores.

    LiteRT's GPU delegate takes some graphs without complaint and computes them wrongly, such as
    those with strided 1 x 1 convolutions in int8 (see `export.gpu`). A model that XNNPACK cannot
    run, as one compiled for an accelerator, is not judged.

    Args:
        engine: what the delegate opened.
        images: of the input's shape and type, to try it on.
        delegate: its name, for the message.

    Raises:
        DelegateError: a score differs by more than half of the highest one, and by more than
            integers are rounded by.
    """
    try:
        reference = open_engine(path, delegate="xnnpack")
    except EdgeRuntimeError:
        return
    for image in images:
        ours, theirs = (_shares(e, image) for e in (engine, reference))
        difference = np.abs(ours - theirs)
        most = max(_INTEGER_TOLERANCE, _MOST_MOVED * float(max(ours.max(), theirs.max())))
        if not difference.max() <= most:  # also where it is no number
            worst = int(difference.argmax())
            raise DelegateError(
                f"The {delegate} computes {path} wrongly (on a sample picture class {worst} scores "
                f"{ours[worst]:.2f}, {theirs[worst]:.2f} on the CPU); use --delegate xnnpack."
            )


def _shares(engine: Engine, image: NDArray[Any]) -> NDArray[np.float32]:
    """Return the scores, after a softmax where the graph ends in logits."""
    scores = _scores(engine, image)
    return softmax(scores) if engine.gives_logits else scores


def _scores(engine: Engine, image: NDArray[Any]) -> NDArray[np.float32]:
    return engine.output.quantization.dequantize(engine.run(image))


def _difference(
    engine: Engine, images: Sequence[NDArray[Any]], expected: list[NDArray[np.float32]]
) -> str | None:
    tolerance = _INTEGER_TOLERANCE if engine.integer else _FLOAT_TOLERANCE
    for number, (image, theirs) in enumerate(zip(images, expected, strict=True), start=1):
        ours = _scores(engine, image)
        span = 1.0 if not engine.gives_logits else max(1.0, float(np.ptp(theirs)))
        worst = float(np.abs(ours - theirs).max())
        if not worst <= tolerance * span:  # also where it is no number
            return f"its scores differ from the CPU's by {worst:.3f} on sample {number}"
        if ours.argmax() != theirs.argmax():
            return f"it sees another class than the CPU on sample {number}"
    return None
