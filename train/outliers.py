"""Outliers: images of none of the classes, split by class into a training and a validation part.

A network learns to give outliers low scores, and is judged on outliers of classes that it never
saw. Which part a class belongs to depends on its name alone, so a class that two folders share is
in the same part of both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.inputs.resize import fit
from train import outlier_files
from train.dataset import SIDE, DataError

_VALIDATION_ONE_OF = 3  # classes
_KEPT_SIDE = 192  # pixels; room for views from the whole image down to a sixth of its side


@dataclass(frozen=True)
class Source:
    """The outliers of one folder or archive.

    Attributes:
        name: file name of the folder or archive.
        train: images to train on, uint8 (H, W, 3), RGB, each of its own size.
        train_classes: sorted names of their classes, see `class_of`.
        validation: uint8 (N, side, side, 3), RGB, as the runtime gives them to a network.
        validation_classes: sorted names of their classes; no class is in both parts.
    """

    name: str
    train: tuple[NDArray[np.uint8], ...]
    train_classes: tuple[str, ...]
    validation: NDArray[np.uint8]
    validation_classes: tuple[str, ...]

    def about(self) -> dict[str, Any]:
        """Return what was trained on, as JSON types."""
        return {"name": self.name, "classes": len(self.train_classes), "images": len(self.train)}


Outliers = tuple[Source, ...]


def load(named: Iterable[str], own: Path | None = None, side: int = SIDE) -> Outliers:
    """Read outliers from folders and archives.

    Args:
        named: paths, or "tiny-imagenet", see `train.outlier_files.locate`.
        own: the folder of outliers in the training part of the user's data; those in the test part
            are validated with, if there are any.
        side: side of the network's images in pixels.

    Raises:
        DataError: a source cannot be read, or has no images for one of the two parts.
    """
    sources = [_load(outlier_files.locate(name), side) for name in named]
    if own:
        of_test = own.parents[1] / "test" / own.name
        sources.append(_load(own, side, of_test if of_test.is_dir() else None))
    names = [source.name for source in sources]
    return tuple(
        replace(source, name=f"{source.name} ({number})")
        if names.count(source.name) > 1
        else source
        for number, source in enumerate(sources, start=1)
    )


def _load(path: Path, side: int, for_validation: Path | None = None) -> Source:
    """Read one folder or archive, and the validation part of its outliers if it is elsewhere."""
    if for_validation:
        train, validation = _read(path, side), _read(for_validation, side)
    else:
        train, validation = {}, {}
        for of_class, images in _read(path, side).items():
            (validation if is_validation(of_class) else train)[of_class] = images
    for part, what in ((train, "train on"), (validation, "validate with")):
        if not part:
            raise DataError(
                f"{path} has no outliers to {what}, because all its classes are in the other part "
                f"({', '.join([*train, *validation][:3])}); add images of other classes."
            )
    return Source(
        path.resolve().name,
        tuple(np.asarray(image) for of_class in train.values() for image in of_class),
        tuple(train),
        np.stack([fit(image, side, side) for same in validation.values() for image in same]),
        tuple(validation),
    )


def is_validation(of_class: str) -> bool:
    """Return whether a class of outliers is never trained on: one of three, by the hash of it."""
    return hashlib.sha256(of_class.encode()).digest()[0] % _VALIDATION_ONE_OF == 0


def digest(outliers: Sequence[Source]) -> str:
    """Return the sha256 hex digest of the images that are trained on."""
    result = hashlib.sha256()
    for source in outliers:
        for image in source.train:
            result.update(str(image.shape).encode() + image.tobytes())
        result.update(b"end")
    return result.hexdigest()


def _read(path: Path, side: int) -> dict[str, list[Image.Image]]:
    """Return the images of a folder or archive by their class, the classes in order."""
    kept = max(_KEPT_SIDE, side)
    images = [(name, _limited(image, kept)) for name, image in outlier_files.read(path, kept)]
    if not images:
        raise DataError(
            f"{path} holds no image that can be an outlier; name another folder or archive of "
            f"images."
        )
    classes = classes_of([name for name, _ in images])
    found: dict[str, list[Image.Image]] = {of_class: [] for of_class in sorted({*classes})}
    for of_class, (_, image) in zip(classes, images, strict=True):
        found[of_class].append(image)
    return found


def classes_of(names: Sequence[str]) -> list[str]:
    """Return the class of each image: WordNet id, otherwise folder, otherwise the file itself.

    Without WordNet ids, the folders are classes if there are several of them.
    """
    folders = {str(PurePosixPath(name).parent) for name in names}
    return [
        outlier_files.wordnet_id(name)
        or (str(PurePosixPath(name).parent) if len(folders) > 1 else name)
        for name in names
    ]


def _limited(image: Image.Image, side: int) -> Image.Image:
    """Shrink an image whose shorter side is longer than `side`, so that many fit in memory."""
    scale = side / min(image.size)
    if scale >= 1:
        return image
    size = (max(side, round(scale * image.width)), max(side, round(scale * image.height)))
    return image.resize(size, Image.Resampling.BICUBIC)
