"""Load the data set that `--data` names: CIFAR-10, or a folder of the user's own images."""

from __future__ import annotations

import os
from pathlib import Path

from train import cifar10, folder
from train.dataset import Dataset


def location(path: Path | None) -> Path | None:
    """Return the folder or archive that `load` reads; None if it downloads the official one."""
    if path is not None:
        return path.expanduser()
    named = os.environ.get(cifar10.ENVIRONMENT_VARIABLE)
    return Path(named).expanduser() if named else None


def load(path: Path | None) -> Dataset:
    """Load a data set.

    Args:
        path: a folder of images, see `train.folder`; otherwise see `train.cifar10.load`.

    Raises:
        DataError: the data set is missing, incomplete or damaged.
    """
    path = path and path.expanduser()
    if path is not None and folder.holds_images(path):
        return folder.load(path)
    return cifar10.load(path)
