"""Load the data set that `--data` names: CIFAR-10, or a folder of the user's own images."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from train import cifar10, folder
from train.dataset import SIDE, DataError, Dataset


def location(path: Path | None) -> Path | None:
    """Return the folder or archive that `load` reads; None if it downloads the official one."""
    if path is not None:
        return path.expanduser()
    named = os.environ.get(cifar10.ENVIRONMENT_VARIABLE)
    return Path(named).expanduser() if named else None


def load(path: Path | None, side: int = SIDE) -> Dataset:
    """Load a data set.

    Args:
        path: a folder of images, see `train.folder`; otherwise see `train.cifar10.load`.
        side: side of the images to return, in pixels. CIFAR-10 has one side only.

    Raises:
        DataError: the data set is missing, incomplete or damaged, or is CIFAR-10 and the side is
            another than its own.
    """
    path = path and path.expanduser()
    if path is not None and folder.holds_images(path):
        return folder.load(path, side)
    if side != SIDE:
        raise DataError(
            f"Expected photographs as {{train,test}}/CLASS/*, for a network that takes {side} x "
            f"{side} pixels, but got {path or 'CIFAR-10'}; name their folder with --data."
        )
    return cifar10.load(path)


def load_for(path: Path | None, sides: Iterable[int]) -> Dataset:
    """Load a data set for models that resize its images themselves.

    Args:
        path: as for `load`, as is the error raised.
        sides: of the models' images, in pixels. A folder's images have the largest of them;
            CIFAR-10's have their own.
    """
    source = location(path)
    if source is None or not folder.holds_images(source):
        return load(path)
    return load(source, max(SIDE, *sides))
