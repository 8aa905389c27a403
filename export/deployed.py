"""The part of a network that an export contains, and how pixels become its input."""

from __future__ import annotations

from typing import NamedTuple

import keras

from train import efficientnet
from train.efficientnet import PIXEL_DIVISOR, PIXEL_OFFSET
from train.networks import NETWORKS


class Normalization(NamedTuple):
    """The real value of an exported input: (pixel - mean) / std, for pixels in 0-255."""

    mean: int
    std: int


def normalization(network: str) -> Normalization:
    """Return how pixels become the input of a network's exports.

    EfficientNet-Lite0 does this itself in training. In an export, the input's quantization does it
    instead: with zero point 127 and scale 1/128, raw pixels are the quantized input.

    Args:
        network: a name in `train.networks.NETWORKS`.
    """
    if network == efficientnet.NAME:
        return Normalization(PIXEL_OFFSET, PIXEL_DIVISOR)
    return Normalization(0, NETWORKS[network].divisor)


def deployed(model: keras.Model, *, features: bool = False) -> keras.Model:
    """Return what is exported of a network.

    Args:
        model: the network with its weights; it stays as it is.
        features: leave out the last layers of an EfficientNet-Lite0. The output "features" is then
            float32 (N, 1984).

    Returns:
        A network whose input is the normalized image; see `normalization`.
    """
    if model.name != efficientnet.NAME:
        return model
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    outputs = {"features": efficientnet.features(copy)} if features else copy.output
    return keras.Model(copy.get_layer("rescaled").output, outputs, name=model.name)
