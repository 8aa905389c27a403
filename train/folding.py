"""Folding the training-only BatchNorms of a network into its kernels and biases.

In inference a BatchNorm is y = gamma (x - mean) / sqrt(variance + epsilon) + beta (Ioffe and
Szegedy 2015, arXiv:1502.03167), one scale and one shift a channel, which the layer before it can
take over exactly.
"""

from __future__ import annotations

import keras
import numpy as np


def fold(trained: keras.Model, deployed: keras.Model) -> None:
    """Copy the weights of `trained` into `deployed`, BatchNorms folded, scores unchanged.

    Args:
        trained: a network in which every BatchNorm directly follows a convolution or dense layer.
        deployed: the same network with biases and fewer BatchNorms, which become identities.
    """
    folded: dict[str, list[np.ndarray]] = {}
    previous = ""
    for layer in trained.layers:
        if isinstance(layer, (keras.layers.Conv2D, keras.layers.Dense)):
            weights = [np.asarray(w, np.float64) for w in layer.get_weights()]
            if len(weights) == 1:
                weights.append(np.zeros(weights[0].shape[-1]))
            folded[layer.name] = weights
            previous = layer.name
        elif isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in layer.get_weights())
            scale = gamma / np.sqrt(variance + layer.epsilon)
            kernel, bias = folded[previous]
            folded[previous] = [kernel * scale, (bias - mean) * scale + beta]
    for layer in deployed.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = layer.get_weights()[0].shape
            one, zero = np.ones(channels), np.zeros(channels)
            layer.set_weights([one, zero, zero, one - layer.epsilon])
        elif layer.name in folded:
            layer.set_weights(folded[layer.name])
