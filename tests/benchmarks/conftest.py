"""A small data set."""

import numpy as np
import pytest

from train.dataset import Dataset, Split

CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)


@pytest.fixture
def small_data(monkeypatch):
    """Twenty random images instead of CIFAR-10."""
    from train import cifar10

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 32, 32, 3), np.uint8)
    part = Split(images, rng.integers(0, 10, 20).astype(np.uint8), ("",) * 20)
    data = Dataset(part, part, part, CLASSES)
    monkeypatch.setattr(cifar10, "load", lambda path=None: data)
    return data
