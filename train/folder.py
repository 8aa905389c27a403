"""A user's own images in folders, one a class: root/{train,test}/<class>/*.png.

The runtime decodes, turns upright, crops and resizes the images, so that a network is trained on
the pixels that it gets on the device.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ImageError
from edge_runtime.inputs.class_folders import COUNTER_EXAMPLES
from edge_runtime.inputs.decode import SUFFIXES, decode
from edge_runtime.inputs.folders import is_housekeeping
from edge_runtime.inputs.resize import fit
from edge_runtime.support import native_log
from train.dataset import SIDE, DataError, Dataset, Split, pixel_hash, split_held_out

_MAX_CLASSES = 256  # labels are uint8


def holds_images(root: Path) -> bool:
    """Return whether `root` has the layout that this module reads."""
    return (root / "train").is_dir()


def none_of_these(root: Path | None) -> Path | None:
    """Return the folder of a data set's outliers, root/train/none-of-these, if there is one."""
    folder = root and root / "train" / COUNTER_EXAMPLES
    return folder if folder and folder.is_dir() else None


def load(root: Path, side: int = SIDE) -> Dataset:
    """Read all images; the classes are the folders in root/train, sorted by name.

    A folder `COUNTER_EXAMPLES` is no class, see `train.outliers`. Copies of test images are neither
    trained on nor held out.

    Args:
        root: the folder.
        side: side of the images to return, in pixels.

    Raises:
        DataError: there are fewer than two classes, a class has no images or too few different
            ones, a class is in one part only, or an image cannot be read.
    """
    class_names = _class_names(root / "train")
    unmatched = set(_class_names(root / "test")) ^ set(class_names)
    if unmatched:
        raise DataError(
            f"Expected the same classes in {root / 'train'} and {root / 'test'}, but "
            f"{', '.join(sorted(unmatched))} is in one of them only."
        )
    given, test = (_read(root / part, class_names, side) for part in ("train", "test"))
    seen = set(test.hashes)
    unseen = given.take([i for i, digest in enumerate(given.hashes) if digest not in seen])
    train, held_out = split_held_out(unseen, len(class_names))
    for label, name in enumerate(class_names):
        if label not in train.labels or label not in held_out.labels:
            raise DataError(
                f"Expected {root / 'train' / name} to hold at least 2 images that differ from each "
                f"other and from those in {root / 'test'}."
            )
    return Dataset(train, held_out, test, class_names)


def read_image(path: Path, side: int = SIDE) -> NDArray[np.uint8]:
    """Return an image as the runtime gives it to a network: uint8 (side, side, 3), RGB, 0-255.

    Raises:
        ImageError: the image cannot be read.
    """
    return fit(decode(path, at_least=(2 * side, 2 * side)), side, side)


def image_hash(path: Path, image: NDArray[np.uint8]) -> str:
    """Return an image file's pixel hash, which does not depend on the side of a network's images.

    So the same files are held out, and judge, whatever the side.

    Args:
        path: the file.
        image: what `read_image` returned for it, at any side.

    Raises:
        ImageError: the image cannot be read.
    """
    return pixel_hash(image if image.shape[0] == SIDE else read_image(path))


def _class_names(folder: Path) -> tuple[str, ...]:
    if not folder.is_dir():
        raise DataError(f"{folder} is missing; expected a folder with a folder for each class.")
    names = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_dir()
        and path.name[0] != "."
        and path.name != COUNTER_EXAMPLES
        and not is_housekeeping(path.name)
    )
    if not 2 <= len(names) <= _MAX_CLASSES:
        raise DataError(
            f"Expected {folder} to hold a folder for each of 2 to {_MAX_CLASSES} classes, "
            f"but got {len(names)}."
        )
    for name in names:
        if not name.isprintable():
            raise DataError(f"{folder} holds a folder whose name cannot be a label: {name!r}.")
    return tuple(names)


def _read(part: Path, class_names: tuple[str, ...], side: int) -> Split:
    images, labels, hashes = [], [], []
    for label, name in enumerate(class_names):
        files = sorted(p for p in (part / name).iterdir() if not is_housekeeping(p.name))
        paths = [path for path in files if path.suffix.lower() in SUFFIXES]
        if len(paths) < len(files):
            print(
                f"{part / name}: left out {len(files) - len(paths):,} of {len(files):,} entries, "
                f"which have no image's suffix.",
                file=sys.stderr,
            )
        if not paths:
            raise DataError(
                f"Expected images in {part / name}, but got none; "
                f"the formats are {', '.join(sorted(SUFFIXES))}."
            )
        for path in paths:
            try:
                with native_log.dropped():  # libtiff warns there of every odd file
                    images.append(read_image(path, side))
                    hashes.append(image_hash(path, images[-1]))
            except ImageError as exc:
                raise DataError(f"{exc} It is part of the data set {part}.") from exc
            labels.append(label)
    return Split(np.stack(images), np.array(labels, np.uint8), tuple(hashes))
