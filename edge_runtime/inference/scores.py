"""From logits to scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the scores behind logits, float32 (classes,), 0-1, with the sum 1."""
    powers = np.exp(logits - logits.max())
    scores: NDArray[np.float32] = powers / powers.sum()
    return scores
