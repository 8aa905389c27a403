"""Choose the images that set an int8 model's activation ranges.

They are the committed ones (`export.committed`, `export.photographs`), or come from the data set or
a folder. Images that judge the result are refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import SUFFIXES
from export.committed import CommittedImages
from export.errors import CalibrationError, CalibrationOptionError
from export.photographs import Crops
from train.dataset import SIDE, Dataset
from train.folder import image_hash, read_image

SEED = 0  # of every random choice of images


@dataclass(frozen=True)
class Calibration:
    """Images that set activation ranges.

    Attributes:
        images: uint8 (N, side, side, 3), RGB, 0-255.
        hashes: N pixel hashes, see `train.dataset.pixel_hash`.
        split: where they come from: "train" (of the data set), "folder", or "photographs" (crops
            of the committed ones).
        seed: of the random choice; None if all images of a folder were taken.
    """

    images: NDArray[np.uint8]
    hashes: tuple[str, ...]
    split: str
    seed: int | None

    def provenance(self) -> dict[str, str | int | None]:
        """Return what a model card says about them.

        `sha256` is the hash of their pixel hashes, one per line, in order.
        """
        lines = "".join(f"{digest}\n" for digest in self.hashes)
        return {
            "images": len(self.images),
            "split": self.split,
            "seed": self.seed,
            "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        }


def choose(wanted: str | None, committed: CommittedImages, data: Dataset | None) -> Calibration:
    """Return the calibration images that a user asks for.

    Args:
        wanted: a number of images, class-balanced, from the training images of `data`; or a folder
            that holds one folder of images per class. None chooses the committed images, or as
            many training images of `data` if `data` is another data set than theirs.
        committed: the committed images.
        data: the data set, or None if it is not available.

    Raises:
        CalibrationOptionError: there are no such images.
        CalibrationError: they cannot be used, or some are held-out or test images.
    """
    names = committed.class_names if data is None else data.class_names
    if wanted is None and data is not None and not _is_cifar10(data, committed):
        wanted = str(min(len(committed.train), len(data.train)))
    if wanted is None:
        chosen = Calibration(committed.train.images, committed.train.hashes, "train", SEED)
    elif wanted.isdecimal():
        chosen = _from_data_set(int(wanted), data)
    else:
        chosen = _from_folder(Path(wanted), names)
    _refuse_judges(chosen, data, {*committed.held_out.hashes})
    return chosen


def choose_photographs(
    wanted: str | None,
    crops: Crops,
    data: Dataset | None,
    *,
    side: int,
    class_names: tuple[str, ...] | None,
) -> Calibration:
    """Return the calibration images that a user asks for, for a network that takes photographs.

    Args:
        wanted: as for `choose`. None chooses the crops of the committed photographs, or as many
            training images of `data` if it is given.
        crops: of the committed photographs, `side` pixels wide and high.
        data: images of the network's own classes, or None.
        side: side of the images in pixels.
        class_names: the classes that a folder must have; None takes every folder in it.

    Raises:
        CalibrationOptionError: there are no such images.
        CalibrationError: they cannot be used, or some are held-out or test images.
    """
    if wanted is None and data is None:
        return Calibration(crops.calibrating, crops.hashes, "photographs", None)
    if wanted is None and data is not None:
        several = max(len(crops.calibrating), len(data.class_names))
        wanted = str(min(several, len(data.train)))
    if wanted is not None and wanted.isdecimal():
        chosen = _from_data_set(int(wanted), data)
    else:
        folder = Path(wanted or "")
        names = class_names or tuple(sorted(p.name for p in folder.iterdir() if p.is_dir()))
        chosen = _from_folder(folder, names, side)
    _refuse_judges(chosen, data, set())
    return chosen


def _refuse_judges(chosen: Calibration, data: Dataset | None, judging: set[str]) -> None:
    if data is not None:
        judging = judging | {*data.held_out.hashes, *data.test.hashes}
    refused = sum(digest in judging for digest in chosen.hashes)
    if refused:
        raise CalibrationError(
            f"{refused} of the {len(chosen.images)} calibration images are held-out or test "
            f"images, which judge the result; choose training images instead."
        )


def _is_cifar10(data: Dataset, committed: CommittedImages) -> bool:
    """Say whether the committed images come from `data`; class names alone do not tell."""
    return {*committed.held_out.hashes} <= {*data.held_out.hashes}


def evenly_spaced(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return up to `count` images at equal steps, so that images sorted by class give all classes.

    Args:
        images: (N, ...).
        count: all N are returned if it is larger than N.
    """
    count = min(count, len(images))
    return images[np.arange(count) * len(images) // count]


def balanced(labels: NDArray[np.integer], classes: int, count: int) -> NDArray[np.integer]:
    """Return the indices of `count` random images with equally many per class, give or take one.

    A class with fewer images gives all of them, and the other classes give more.

    Args:
        labels: integer (N,), class indices.
        classes: number of classes.
        count: at most N.
    """
    available = np.bincount(labels, minlength=classes)
    share = np.zeros(classes, int)
    for _ in range(count):
        share[np.where(share < available, share, count).argmin()] += 1
    rng = np.random.default_rng(SEED)
    return np.concatenate(
        [rng.choice(np.flatnonzero(labels == c), share[c], replace=False) for c in range(classes)]
    )


def _from_data_set(count: int, data: Dataset | None) -> Calibration:
    if data is None:
        raise CalibrationOptionError(
            f"--calibration {count} needs a data set; name it with --data, or omit --calibration."
        )
    classes, most = len(data.class_names), len(data.train)
    if not classes <= count <= most:
        raise CalibrationOptionError(
            f"Expected --calibration to be from {classes} to {most:,} images, but got {count}."
        )
    split = data.train.take(balanced(data.train.labels, classes, count))
    return Calibration(split.images, split.hashes, "train", SEED)


def _from_folder(folder: Path, class_names: tuple[str, ...], side: int = SIDE) -> Calibration:
    missing = [name for name in class_names if not (folder / name).is_dir()]
    if missing:
        raise CalibrationOptionError(
            f"{folder} has no folder for {', '.join(missing)}; --calibration expects a number of "
            f"images, or a folder that holds one folder of images per class."
        )
    if not class_names:
        raise CalibrationOptionError(
            f"{folder} has no folders; --calibration expects a number of images, or a folder that "
            f"holds one folder of images per class."
        )
    images: list[NDArray[np.uint8]] = []
    hashes = []
    for name in class_names:
        paths = sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in SUFFIXES)
        if not paths:
            raise CalibrationError(f"{folder / name} holds no images; add some of this class.")
        try:
            images += [read_image(path, side) for path in paths]
            hashes += [image_hash(*read) for read in zip(paths, images[-len(paths) :], strict=True)]
        except ImageError as exc:
            raise CalibrationError(f"A calibration image cannot be used: {exc}") from exc
    return Calibration(np.stack(images), tuple(hashes), "folder", None)
