"""A user's own images in folders, one a class: root/{train,test}/<class>/*.png.

The images are read, turned upright, cut and resized by the runtime itself, so that a network is
trained on what the device will feed it.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from edge_runtime.errors import ImageError
from edge_runtime.image import SUFFIXES, decode, fit
from train.dataset import SIDE, DataError, Dataset, Split, pixel_hash, split_held_out

_MAX_CLASSES = 256  # labels are uint8


def holds_images(root: Path) -> bool:
    """Return whether `root` is laid out as this module reads it."""
    return (root / "train").is_dir()


def load(root: Path) -> Dataset:
    """Read all images; classes are the folders of root/train, by name.

    Raises:
        DataError: fewer than two classes, a class without images, a class in one part only, or
            an image that cannot be read.
    """
    class_names = _class_names(root / "train")
    strangers = set(_class_names(root / "test")) ^ set(class_names)
    if strangers:
        raise DataError(
            f"Expected the same classes in {root / 'train'} and {root / 'test'}, but "
            f"{', '.join(sorted(strangers))} is in one of them only."
        )
    train, held_out = split_held_out(
        _read(root / "train", class_names, at_least=2), len(class_names)
    )
    return Dataset(train, held_out, _read(root / "test", class_names, at_least=1), class_names)


def _class_names(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        raise DataError(f"{folder} is missing; expected a folder with a folder for each class.")
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    if not 2 <= len(names) <= _MAX_CLASSES:
        raise DataError(
            f"Expected {folder} to hold a folder for each of 2 to {_MAX_CLASSES} classes, "
            f"but got {len(names)}."
        )
    return tuple(names)


def _read(part: Path, class_names: tuple[str, ...], *, at_least: int) -> Split:
    images, labels = [], []
    for label, name in enumerate(class_names):
        paths = sorted(p for p in (part / name).iterdir() if p.suffix.lower() in SUFFIXES)
        if len(paths) < at_least:
            raise DataError(
                f"Expected at least {at_least} images in {part / name}, but got {len(paths)}; "
                f"{', '.join(sorted(SUFFIXES))} are read."
            )
        for path in paths:
            try:
                images.append(fit(decode(path), SIDE, SIDE))
            except ImageError as exc:
                raise DataError(f"{exc} It is part of the data set {os.fspath(part)}.") from exc
            labels.append(label)
    hashes = tuple(pixel_hash(image) for image in images)
    return Split(np.stack(images), np.array(labels, np.uint8), hashes)
