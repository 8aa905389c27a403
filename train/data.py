"""The data set that a path names: CIFAR-10, or a user's own images."""

from __future__ import annotations

from pathlib import Path

from train import cifar10, folder
from train.dataset import Dataset


def load(path: Path | None) -> Dataset:
    """Load a data set.

    Args:
        path: see `train.cifar10.load`, or a folder of images, see `train.folder`.

    Raises:
        DataError: it is missing, incomplete or damaged.
    """
    path = path and path.expanduser()
    if path is not None and folder.holds_images(path):
        return folder.load(path)
    return cifar10.load(path)
