"""The images that `python -m benchmarks.trust` shows to the models, and the answers to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ImageError
from edge_runtime.inference.acceptance import two_scores
from edge_runtime.inference.model import Model
from edge_runtime.inputs.class_folders import find_tests
from edge_runtime.inputs.listing import LeftOut
from edge_runtime.support import native_log
from train import outlier_files
from train.dataset import DataError
from train.outliers import classes_of, is_validation

Image = Path | bytes | NDArray[np.uint8]  # a file, its content, or uint8 (H, W, 3), RGB, 0-255


@dataclass(frozen=True)
class Inside:
    """Images of a model's classes.

    Attributes:
        name: of their folder.
        images: the images.
        labels: indices of their classes, int (N,).
    """

    name: str
    images: Sequence[Image]
    labels: NDArray[np.intp]


@dataclass(frozen=True)
class Outside:
    """Images of none of a model's classes.

    Attributes:
        name: of their folder or archive.
        images: the images.
        groups: number of each image's own class, int (N,); images of a class are alike.
    """

    name: str
    images: Sequence[Image]
    groups: NDArray[np.intp]


@dataclass(frozen=True)
class Answers:
    """What a model says about some images.

    Attributes:
        best: the best score of each image, float32 (N,).
        second: the best score of another class, float32 (N,).
        found: index of the best class, int (N,).
    """

    best: NDArray[np.float32]
    second: NDArray[np.float32]
    found: NDArray[np.intp]


def load_inside(path: Path, labels: Sequence[str], say: Callable[[str], None]) -> Inside:
    """Find photographs in folders that are named like the classes.

    Args:
        path: holds a folder for each class. Counter-examples in it are left out.
        labels: of the models.
        say: prints a sentence about what is left out.

    Raises:
        TeachingError: there are no such folders or photographs.
    """
    left_out = LeftOut()
    found = find_tests(path, tuple(labels), left_out)
    for sentence in found.unreadable:
        say(sentence)
    if left_out.files:
        say(str(left_out))
    kept = [photograph for photograph in found.photographs if photograph.label >= 0]
    return Inside(
        path.resolve().name,
        [Path(photograph.path) for photograph in kept],
        np.array([photograph.label for photograph in kept], np.intp),
    )


def load_outside(path: Path, *, all_classes: bool) -> Outside:
    """Find the images of a folder or an archive.

    Args:
        path: from `train.outlier_files.locate`.
        all_classes: take the classes too that `python -m train --outliers` trains on.

    Raises:
        DataError: it cannot be read, or holds no image to use.
    """
    named = list(outlier_files.files(path))
    classes = classes_of([name for name, _ in named])
    used = sorted({c for c in classes if all_classes or is_validation(c)})
    if not used:
        raise DataError(
            f"{path} holds no image of a class that is never trained on; add images of other "
            f"classes, or --all-outside if the models never saw it."
            if named
            else f"{path} holds no image; name another folder or archive of images."
        )
    number = {of_class: at for at, of_class in enumerate(used)}
    kept = [
        (content if isinstance(content, Path) else content.getvalue(), number[of_class])
        for (_, content), of_class in zip(named, classes, strict=True)
        if of_class in number
    ]
    images, groups = zip(*kept, strict=True)
    return Outside(path.resolve().name, images, np.array(groups, np.intp))


def answers(
    model: Model, images: Sequence[Image], counted: Callable[[], None] = lambda: None
) -> Answers:
    """Classify images, as the runtime does for a user.

    Args:
        model: the model.
        images: the images.
        counted: called after each image.

    Raises:
        ImageError: an image cannot be read.
        ModelError: the model fails.
    """
    scores, found = [], []
    for image in images:
        try:
            with native_log.dropped():  # libtiff warns there of every odd file
                shown = BytesIO(image) if isinstance(image, bytes) else image
                result = model.classify(shown, top_k=2)
        except ImageError as exc:
            raise ImageError(f"{exc} Remove it, or convert it to PNG.") from exc
        scores.append(two_scores(result.predictions))
        found.append(result[0].index)
        counted()
    best, second = np.array(scores, np.float32).T
    return Answers(best, second, np.array(found, np.intp))
