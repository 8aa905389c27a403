"""The threshold below which a model's best class counts as none of its classes.

A model card holds `acceptance`: a default threshold, and for several thresholds the share of images
that is accepted and the error among these, with its upper 95 % bound.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.metrics import wilson_interval

KEPT = 0.95  # share of the images of its classes that a default threshold accepts
_THRESHOLDS = tuple(n / 100 for n in (*range(0, 90, 5), *range(90, 100)))


def acceptance(
    scores: NDArray[np.float32], labels: NDArray[np.intp], *, measured_on: str
) -> dict[str, Any]:
    """Return what a model card says about thresholds.

    The default threshold is the largest step of 1/256, which is the step of int8 scores, that
    accepts at least `KEPT` of the images.

    Args:
        scores: of images that did not shape the model, float32 (N, classes).
        labels: class indices, (N,).
        measured_on: names these images, in a phrase.
    """
    best = scores.max(axis=1)
    wrong = scores.argmax(axis=1) != labels
    ordered = np.sort(best)[::-1]
    least = float(ordered[math.ceil(KEPT * len(ordered)) - 1])
    table = []
    for threshold in _THRESHOLDS:
        accepted = best >= threshold
        count = int(accepted.sum())
        error = float(wrong[accepted].mean()) if count else None
        bound = wilson_interval(error, count)[1] if error is not None else None
        table.append(
            {
                "threshold": threshold,
                "accepted": round(count / len(best), 4),
                "error": None if error is None else round(error, 4),
                "error_upper_95": None if bound is None else round(bound, 4),
            }
        )
    return {
        "threshold": math.floor(least * 256) / 256,
        "kept": KEPT,
        "measured_on": measured_on,
        "images": len(best),
        "table": table,
    }
