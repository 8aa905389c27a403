"""A head beside a network that tells images of the network's classes from outliers.

It takes the mean, and perhaps the largest value, of each channel behind several layers of the
network, and says how likely an image is one of the classes: `inside`, 0-1. All scores are
multiplied by it, so an outlier scores low for every class, while the best class of an image stays
the same. What the scores lack to 1 is the share of "none of these".

The mean of the last layer alone tells outliers apart less well: what a classifier does not need, it
has forgotten there (Lee et al. 2018, arXiv:1807.03888, section 2.2, combine all layers too).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

PREFIX = "outlier_"  # of the names of all layers of a head that have weights
_JOINED = f"{PREFIX}joined"


def judged(
    scores: keras.KerasTensor, taps: Mapping[str, keras.KerasTensor], width: int
) -> keras.KerasTensor:
    """Return the scores multiplied by how likely the image is one of the classes.

    Args:
        scores: float32 (N, classes), after softmax.
        taps: what the head reads, (N, channels) each, by names; at least two.
        width: number of units in the head's hidden layer.
    """
    # One dense layer for each tap instead of one for all: the taps have other ranges, and in int8
    # the inputs of a layer share one.
    parts = [_dense(tap, width, name) for name, tap in taps.items()]
    # A dense layer of ones and zeros adds them up. TensorFlow's converter would reshape the inputs
    # of additions, and batches would fail.
    joined = layers.Concatenate(name=_JOINED, dtype="float32")(parts)
    hidden = layers.ReLU(name=f"{PREFIX}hidden")(_dense(joined, width, "sum"))
    logit = _dense(hidden, 1, "logit")
    inside = layers.Activation("sigmoid", name=f"{PREFIX}inside")(logit)
    return layers.Multiply(name="judged_scores", dtype="float32")([scores, inside])


def means(outputs: Mapping[str, keras.KerasTensor]) -> dict[str, keras.KerasTensor]:
    """Return the mean of each channel, (N, channels), of layers (N, height, width, channels)."""
    return {
        f"{name}_means": layers.GlobalAveragePooling2D(
            name=f"{PREFIX}{name}_mean", dtype="float32"
        )(output)
        for name, output in outputs.items()
    }


def maxima(outputs: Mapping[str, keras.KerasTensor]) -> dict[str, keras.KerasTensor]:
    """Return the largest value of each channel, (N, channels), of layers."""
    return {
        f"{name}_maxima": layers.GlobalMaxPooling2D(name=f"{PREFIX}{name}_max", dtype="float32")(
            output
        )
        for name, output in outputs.items()
    }


def without(model: keras.Model) -> keras.Model:
    """Return a network without its head, if it has one; both share their weights."""
    return keras.Model(model.inputs, model.get_layer("scores").output, name=model.name)


def parts(model: keras.Model) -> list[keras.layers.Dense]:
    """Return the layers of a network's head that read the network, in the order of the taps."""
    return [part._keras_history.operation for part in model.get_layer(_JOINED).input]


def set_weights(
    model: keras.Model,
    kernels: Sequence[NDArray[np.floating]],
    biases: Sequence[NDArray[np.floating]],
    logit: Sequence[NDArray[np.floating]],
) -> None:
    """Set the weights of a network's head.

    Args:
        kernels: of the parts, (channels, width) each.
        biases: of the parts, (width,) each.
        logit: kernel (width, 1) and bias (1,) of the last layer.
    """
    for part, kernel, bias in zip(parts(model), kernels, biases, strict=True):
        part.set_weights([kernel, bias])
    width = len(biases[0])
    ones = np.tile(np.eye(width), (len(biases), 1))
    model.get_layer(f"{PREFIX}sum").set_weights([ones, np.zeros(width)])
    model.get_layer(f"{PREFIX}logit").set_weights(list(logit))


def parameters(model: keras.Model) -> int:
    """Return the number of parameters in a network's head, 0 if it has none."""
    layers_of_head = [layer for layer in model.layers if layer.name.startswith(PREFIX)]
    return sum(layer.count_params() for layer in layers_of_head)


def _dense(x: keras.KerasTensor, units: int, name: str) -> keras.KerasTensor:
    return layers.Dense(units, name=f"{PREFIX}{name}", dtype="float32")(x)
