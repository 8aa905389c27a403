"""A pool of photographs with made-up features."""

import numpy as np
import pytest

from benchmarks.teaching.pool import Pool
from edge_runtime.inference.quantization import Quantization

CLASSES = 3
BLOCKS = (24, 8)  # numbers of features of the last layer and of one before it


@pytest.fixture
def make_pool():
    """Return a function that makes a pool, whose classes differ in some of the features.

    They differ by `length` against a scatter of 8.
    """

    def make(*, a_class: int, differ: slice, length: float = 10) -> Pool:
        rng = np.random.default_rng(0)
        labels = np.repeat(np.arange(CLASSES), a_class)
        features = rng.normal(0, 8, (len(labels), 1, sum(BLOCKS)))
        centres = np.zeros((CLASSES, sum(BLOCKS)))
        centres[:, differ] = length * rng.choice([-1, 1], centres[:, differ].shape)
        features = features + centres[labels][:, np.newaxis] + rng.normal(0, 2, (1, 3, 1))
        return Pool(
            CLASSES,
            labels.astype(np.intp),
            np.clip(np.rint(features), -128, 127).astype(np.int8),
            BLOCKS,
            Quantization(0.05, -3),
        )

    return make
