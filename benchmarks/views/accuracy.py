"""How often a model is right with several views of an image, compared with one view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.inference.acceptance_table import Judged, measure
from edge_runtime.inference.scores import mean
from edge_runtime.inference.views import plain_views
from edge_runtime.inputs.resize import fit
from edge_runtime.support.metrics import discordant, drop_interval, top1

if TYPE_CHECKING:
    from edge_runtime.inference.preprocessing import ImageLike

_HALF_STEP = 1 / 512  # of int8 scores; keeps the logarithm of 0 finite


@dataclass(frozen=True, slots=True)
class Gain:
    """The accuracy with some views, compared with one view on the same images.

    Attributes:
        top1: share of the images that are right, 0-1.
        gain: difference to that with one view; with its 95 % interval `low` to `high`.
    """

    top1: float
    gain: float
    low: float
    high: float


class Averaged(NamedTuple):
    """Scores of several images.

    Attributes:
        arithmetic: means over the views, as `Classifier` gives them, float32 (N, classes).
        geometric: geometric means over the views, float32 (N, classes).
    """

    arithmetic: NDArray[np.float32]
    geometric: NDArray[np.float32]


def averaged(model: str, views: int, images: Iterable[ImageLike]) -> Averaged:
    """Return the mean scores over the views of each image.

    Raises:
        EdgeRuntimeError: the model or an image cannot be used.
    """
    arithmetic, geometric = [], []
    with Classifier(model, views=views) as classifier:
        for image in images:
            scores = classifier.scores_of_views(image)
            arithmetic.append(mean(scores))
            geometric.append(np.exp(np.log(scores + _HALF_STEP).mean(axis=0)))
    return Averaged(np.stack(arithmetic), np.stack(geometric))


def gain(
    one: NDArray[np.float32], several: NDArray[np.float32], labels: NDArray[np.integer]
) -> Gain:
    """Compare scores with those of one view.

    Args:
        one: scores of one view, (N, classes).
        several: scores of several views of the same images, (N, classes).
        labels: true class indices, (N,).
    """
    low, high = drop_interval(*discordant(one, several, labels), len(labels))
    accuracy = top1(several, labels)
    return Gain(accuracy, accuracy - top1(one, labels), -high, -low)


def default_threshold(
    scores: NDArray[np.float32], labels: NDArray[np.integer], classes: Sequence[str]
) -> float:
    """Return the threshold that a model card would have from these images, one view each."""
    card = measure(Judged.of(scores, labels, "held-out images"), classes)
    return float(card["threshold"])


def shrunk(image: Image.Image, shorter: int) -> Image.Image:
    """Return an image at a shorter side of so many pixels, or as it is if it is smaller."""
    scale = shorter / min(image.size)
    if scale >= 1:
        return image
    width, height = (max(shorter, round(scale * side)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BICUBIC)


def scores_at_any_size(
    classifier: Classifier, image: Image.Image, side: int, views: int
) -> NDArray[np.float32]:
    """Return the mean scores of views that are taken of small images too, float32 (classes,).

    `Classifier` does not do that; this tells whether it should.

    Args:
        classifier: with one view.
        image: RGB.
        side: of the model's input, in pixels.
        views: at most 4, because none is mirrored.
    """
    chosen = plain_views((image.height, image.width), (side, side), "crop", large=1)[:views]
    pixels = [fit(image, side, side, view.fit, part=view.part) for view in chosen]
    return mean([classifier.scores(view) for view in pixels])
