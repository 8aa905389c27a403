"""Every network of this project by its name, with the images that it takes.

`train.architectures` and `train.efficientnet` define the layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from train import augment, dataset, efficientnet
from train.architectures import resnet18, simple_cnn
from train.efficientnet import efficientnet_lite0


class Network(NamedTuple):
    """How to build a network, and what its images look like.

    Attributes:
        build: takes the number of classes and, as keywords, a recipe's `architecture`,
            `training_form` and `precision`; returns the network with random weights.
        side: side of its images in pixels, unless the recipe's `architecture` has another.
        divisor: the network takes pixels, 0-255, divided by this number.
    """

    build: Callable[..., keras.Model]
    side: int
    divisor: int

    def inputs(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return images, uint8 (N, side, side, 3), RGB, as the network takes them."""
        return pixels.astype(np.float32) / np.float32(self.divisor)


# These ship as classifiers; commands that go through all networks mean these.
CIFAR10_NETWORKS = {
    "cnn": Network(simple_cnn, dataset.SIDE, 255),
    "resnet18": Network(resnet18, dataset.SIDE, 255),
}
NETWORKS = CIFAR10_NETWORKS | {efficientnet.NAME: Network(efficientnet_lite0, efficientnet.SIDE, 1)}
# For the options of commands.
NetworkName = StrEnum("NetworkName", [(name, name) for name in NETWORKS])  # type: ignore[misc]


_PIXELS_AT_ONCE = 500 * 32 * 32  # 500 images of CIFAR-10, or 10 of 224 x 224 pixels


def inputs_of(model: keras.Model, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images as a model takes them, which its name tells; see `Network.inputs`.

    Images of another side than the model's are resized.
    """
    side = model.input_shape[1]  # None takes any
    if side is not None and side != pixels.shape[1]:
        pixels = augment.resize(pixels, side)
    return NETWORKS[model.name].inputs(pixels)


def batches_of(model: keras.Model, pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.float32]]:
    """Yield images as a model takes them, in equal batches (give or take one) that fit in memory.

    Args:
        pixels: uint8 (N, side, side, 3), RGB, at least one image.
    """
    side = model.input_shape[1] or pixels.shape[1]
    at_once = max(1, _PIXELS_AT_ONCE // side**2)
    for batch in np.array_split(pixels, -(-len(pixels) // at_once)):
        yield inputs_of(model, batch)
