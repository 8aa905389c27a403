"""From the raw output of a network to scores, and whether it still needs a softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from edge_runtime.inference.engine import Engine
    from edge_runtime.inference.quantization import Quantization


_SUM_TOLERANCE = 0.02  # scores of half precision add up to 1 this closely
_MOST_ROUNDED = 0.5  # of the sum, which the rounding of many integer scores may take away


class Decision(NamedTuple):
    """Whether a network's output is logits, and what had to be assumed for that.

    Attributes:
        logits: whether the output needs a softmax.
        assumptions: a clause, or nothing if the decision is certain.
    """

    logits: bool
    assumptions: tuple[str, ...] = ()


def decide(how: str, engine: Engine, images: Iterable[NDArray[Any]]) -> Decision:
    """Decide whether a network's output is logits or scores.

    A softmax or sigmoid at the end of the graph gives scores, and so does an output with the range
    that LiteRT prescribes for them. Otherwise the outputs for `images` decide. Scores lie between 0
    and 1. They add up to 1, or come from a softmax or sigmoid that only a selection follows.

    Args:
        how: one of `placement.SCORES`; "softmax" and "none" overrule the rest.
        engine: runs the network.
        images: tensors of the input's shape and type; used only if the graph does not tell.

    Raises:
        ModelError: the network fails on an image.
    """
    if how != "auto":
        return Decision(how == "softmax")
    quantization, dtype = engine.output.quantization, engine.output.dtype
    if engine.scoring == "last" or _has_range_of_scores(quantization, dtype):
        return Decision(False)
    step = quantization.scale if np.issubdtype(dtype, np.integer) else 1e-3
    outputs = np.stack([quantization.dequantize(engine.run(image)) for image in images])
    rounded = min(_MOST_ROUNDED, outputs.shape[1] * step / 2)
    if outputs.min() >= -step and outputs.max() <= 1 + step:
        if np.abs(outputs.sum(axis=1) - 1).max() <= _SUM_TOLERANCE + rounded:
            return Decision(False)
        if engine.scoring == "before":
            return Decision(False, ("its outputs are scores, although they do not add up to 1",))
    return Decision(True, ("its outputs are logits, to be followed by a softmax",))


def _has_range_of_scores(quantization: Quantization, dtype: np.dtype[Any]) -> bool:
    """Return whether an integer output has the scale and zero point of LiteRT's softmax."""
    if not np.issubdtype(dtype, np.integer):
        return False
    limits = np.iinfo(dtype)
    eight_bits = limits.bits == 8
    zero_point = int(limits.min) if eight_bits else 0
    return quantization.zero_point == zero_point and bool(
        np.isclose(quantization.scale, 1 / (256 if eight_bits else 32768))
    )


def score_table(quantization: Quantization, dtype: np.dtype[Any]) -> NDArray[np.float32] | None:
    """Return the real value of each byte that an 8-bit output may hold, or None for other outputs.

    Looking up ten scores takes a fraction of the time that computing them takes.

    Args:
        quantization: of the output tensor.
        dtype: of the output tensor.

    Returns:
        float32 (256,), in the order of unsigned bytes.
    """
    if dtype not in (np.uint8, np.int8):
        return None
    return quantization.dequantize(np.arange(256, dtype=np.uint8).view(dtype))


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores of logits, which are positive.

    Args:
        logits: float32 (..., classes). The largest of each row is subtracted first, so that none
            overflows.

    Returns:
        float32 (..., classes), 0-1; each row adds up to 1.
    """
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    scores: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return scores


def mean(scores: Sequence[NDArray[np.float32]] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of several scores of the same images, float32 (..., classes).

    If scores add up to less than 1, their shares and their sums are averaged each for themselves,
    so that a view or a model that finds an image foreign has no less say in which class it is.
    Scores below 0 are logits of which no softmax was asked; they have no shares.

    Args:
        scores: of views or of models, float32 (..., classes) each.
    """
    all_of_them = np.asarray(scores)
    if all_of_them.min() < 0:
        plain: NDArray[np.float32] = np.mean(all_of_them, axis=0)
        return plain
    totals = total(all_of_them)
    averaged: NDArray[np.float32] = np.mean(all_of_them / totals, axis=0) * np.mean(totals, axis=0)
    return averaged


def total(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of each image's scores, at most 1 and above 0, float32 (..., 1).

    Args:
        scores: float32 (..., classes), 0-1.
    """
    least = np.finfo(np.float32).tiny
    sums: NDArray[np.float32] = np.clip(scores.sum(axis=-1, keepdims=True), least, np.float32(1))
    return sums
