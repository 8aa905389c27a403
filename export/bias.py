"""Bias correction: make up for the shift that rounding kernels to int8 causes."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

_BATCH = 50


def corrected(model: keras.Model, images: NDArray[np.uint8]) -> keras.Model:
    """Return a copy of a network whose mean outputs stay the same when its kernels become int8.

    Rounding turns a kernel W into Wq. A layer's inputs x mostly come out of a ReLU, so their mean
    is not 0, and the mean of each output channel shifts by that of (Wq - W) * x. The bias takes
    the shift off; if a layer has no bias, the mean of the BatchNorm behind it does (Nagel et al.
    2019, arXiv:1906.04721, section 4.2). Convolutions are linear, so the mean input of each layer
    is all that is needed. It is computed in float64, because in float32 the last bits of a bias
    would depend on the CPU.

    Args:
        model: convolutions and dense layers without activations of their own.
        images: uint8 (N, H, W, 3), RGB, 0-255, over which the means are taken.
    """
    exact = keras.models.clone_model(
        model,
        input_tensors=keras.Input(model.input_shape[1:], dtype="float64"),
        clone_function=lambda layer: type(layer).from_config(
            layer.get_config() | {"dtype": "float64"}
        ),
    )
    exact.set_weights([np.asarray(weight, np.float64) for weight in model.get_weights()])
    layers = [x for x in exact.layers if isinstance(x, (keras.layers.Conv2D, keras.layers.Dense))]
    reader = {id(x.input): x for x in exact.layers}
    means = _means(keras.Model(exact.inputs, [layer.input for layer in layers]), images)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer, mean in zip(layers, means, strict=True):
        shift = _mean_output(layer, _rounding_error(np.asarray(layer.kernel)), mean)
        if layer.use_bias:
            bias = copy.get_layer(layer.name).bias
            bias.assign(np.asarray(bias, np.float64) - shift)
        else:
            moving_mean = copy.get_layer(reader[id(layer.output)].name).moving_mean
            moving_mean.assign(np.asarray(moving_mean, np.float64) + shift)
    return copy


def _means(model: keras.Model, images: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Return the mean of each output over the images, float64, without the batch axis."""
    sums: list[NDArray[np.float64]] = []
    for start in range(0, len(images), _BATCH):
        batch = images[start : start + _BATCH].astype(np.float64) / 255
        outputs = model([batch], training=False)
        of_batch = [np.asarray(output).sum(axis=0) for output in outputs]
        sums = [a + b for a, b in zip(sums, of_batch, strict=True)] if sums else of_batch
    return [total / len(images) for total in sums]


def _rounding_error(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return int8 kernel minus float kernel, float64.

    As in the converter, int8 is symmetric with one scale per output channel; the largest weight
    becomes 127.
    """
    largest = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1)))
    scale = np.where(largest > 0, largest, 1.0) / 127
    return np.round(kernel / scale) * scale - kernel


def _mean_output(
    layer: keras.layers.Layer, kernel: NDArray[np.float64], mean_input: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean output of each channel if the layer had this kernel and no bias."""
    layer.kernel.assign(kernel)
    if layer.use_bias:
        layer.bias.assign(np.zeros(layer.bias.shape))
    output = np.asarray(layer(mean_input[np.newaxis]))
    return output.mean(axis=tuple(range(output.ndim - 1)))
