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
from keras import layers

PREFIX = "outlier_"  # of the names of all layers of a head that have weights
LOGIT = f"{PREFIX}logit"  # the last of them
_HIDDEN = f"{PREFIX}hidden"


def judged(
    scores: keras.KerasTensor, groups: Mapping[str, Sequence[keras.KerasTensor]], width: int
) -> keras.KerasTensor:
    """Return the scores multiplied by how likely the image is one of the classes.

    Args:
        scores: float32 (N, classes), after softmax.
        groups: what the head reads, (N, channels) each, by the name of the dense layer that takes
            it. In int8 the inputs of a layer share one range, so a group holds what has a similar
            one.
        width: number of units in the head's hidden layer.
    """
    parts = []
    for name, tensors in groups.items():
        joined = layers.Concatenate(name=f"{PREFIX}{name}_joined", dtype="float32")(tensors)
        parts.append(_dense(joined, width, name))
    hidden = layers.Add(name=f"{PREFIX}sum")(parts) if len(parts) > 1 else parts[0]
    logit = _dense(layers.ReLU(name=_HIDDEN)(hidden), 1, "logit")
    inside = layers.Activation("sigmoid", name=f"{PREFIX}inside")(logit)
    return layers.Multiply(name="judged_scores", dtype="float32")([scores, inside])


def parts(model: keras.Model) -> list[keras.layers.Dense]:
    """Return the layers of a network's head that read the network, in the order of their groups."""
    before = model.get_layer(_HIDDEN).input._keras_history.operation
    if not isinstance(before, layers.Add):
        return [before]
    return [tensor._keras_history.operation for tensor in before.input]


def means(taps: Mapping[str, keras.KerasTensor]) -> list[keras.KerasTensor]:
    """Return the mean of each channel, (N, channels), of layers (N, height, width, channels)."""
    return [
        layers.GlobalAveragePooling2D(name=f"{PREFIX}{name}_mean", dtype="float32")(tap)
        for name, tap in taps.items()
    ]


def maxima(taps: Mapping[str, keras.KerasTensor]) -> list[keras.KerasTensor]:
    """Return the largest value of each channel, (N, channels), of layers."""
    return [
        layers.GlobalMaxPooling2D(name=f"{PREFIX}{name}_max", dtype="float32")(tap)
        for name, tap in taps.items()
    ]


def parameters(model: keras.Model) -> int:
    """Return the number of parameters in a network's head, 0 if it has none."""
    layers_of_head = [layer for layer in model.layers if layer.name.startswith(PREFIX)]
    return sum(layer.count_params() for layer in layers_of_head)


def _dense(x: keras.KerasTensor, units: int, name: str) -> keras.KerasTensor:
    return layers.Dense(units, name=f"{PREFIX}{name}", dtype="float32")(x)
