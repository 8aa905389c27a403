"""A data set in memory: three splits of images with labels, and how one part is held out.

The file formats are in `train.cifar10` and `train.folder`. This module imports numpy alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIDE = 32  # pixels, of CIFAR-10's images
_HELD_OUT_ONE_OF = 20  # one of so many images of a class is held out


class DataError(Exception):
    """The data set is missing, damaged or laid out in another way."""


@dataclass(frozen=True)
class Split:
    """Images with their labels.

    Attributes:
        images: uint8 (N, side, side, 3), RGB, 0-255.
        labels: uint8 (N,), class indices.
        hashes: sha256 hex digest of each image as it is at the side `SIDE`, see `pixel_hash`.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    hashes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.integer] | list[int]) -> Split:
        """Return the chosen images as a new split, in the order of `indices`."""
        return Split(
            self.images[indices], self.labels[indices], tuple(self.hashes[i] for i in indices)
        )


@dataclass(frozen=True)
class Dataset:
    """The three splits and the names of the classes.

    A shipped network is trained on `train`, chosen on `held_out` and reported on `test`. `held_out`
    is a part of the images given for training.
    """

    train: Split
    held_out: Split
    test: Split
    class_names: tuple[str, ...]


def pixel_hash(image: NDArray[np.uint8]) -> str:
    """Return the sha256 of an image's pixel bytes in the planar order of CIFAR-10's files.

    Args:
        image: uint8 (side, side, 3), RGB, 0-255.
    """
    return hashlib.sha256(np.ascontiguousarray(image.transpose(2, 0, 1)).data).hexdigest()


def digest(*splits: Split) -> str:
    """Return the sha256 hex digest of the images and labels of some splits."""
    result = hashlib.sha256()
    for split in splits:
        result.update("".join(split.hashes).encode() + split.labels.tobytes())
    return result.hexdigest()


def split_held_out(split: Split, classes: int) -> tuple[Split, Split]:
    """Divide the images given for training into (train, held out).

    The twentieth of each class with the lowest pixel hashes is held out: 250 images a class for
    CIFAR-10, and at least one. Copies of a held-out image leave the training part too. Both parts
    are sorted by hash, so neither depends on the order of the images.
    """
    counts = np.bincount(split.labels, minlength=classes)
    room = {label: max(1, int(count) // _HELD_OUT_ONE_OF) for label, count in enumerate(counts)}
    by_hash = sorted(range(len(split)), key=split.hashes.__getitem__)
    held_out: list[int] = []
    held_out_hashes: set[str] = set()
    for index in by_hash:
        label = int(split.labels[index])
        if room[label] > 0 and split.hashes[index] not in held_out_hashes:
            room[label] -= 1
            held_out.append(index)
            held_out_hashes.add(split.hashes[index])
    train = [index for index in by_hash if split.hashes[index] not in held_out_hashes]
    return split.take(train), split.take(held_out)
