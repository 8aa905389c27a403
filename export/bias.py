"""Bias correction: make up for the shift that rounding kernels to int8 causes."""

from __future__ import annotations

import keras
import numpy as np
from numpy.typing import NDArray

from export.requantize import Scales, WeightBits, rounded, scales_of
from train.networks import NETWORKS

_BATCH_PIXELS = 50 * 32 * 32
_DEPTHWISE = keras.layers.DepthwiseConv2D
_EIGHT_BITS = scales_of(WeightBits.EIGHT)


def corrected(
    model: keras.Model, images: NDArray[np.uint8], scales: Scales = _EIGHT_BITS
) -> keras.Model:
    """Return a copy of a network whose mean outputs stay the same when its kernels become int8.

    Rounding turns a kernel W into Wq. A layer's inputs x mostly come out of a ReLU, so their mean
    is not 0, and the mean of each output channel shifts by that of (Wq - W) * x. The bias takes
    the shift off; if a layer has no bias, the mean of the BatchNorm behind it does (Nagel et al.
    2019, arXiv:1906.04721, section 4.2). Convolutions are linear, so the mean input of each layer
    is all that is needed. It is computed in float64, because in float32 the last bits of a bias
    would depend on the CPU.

    Args:
        model: a network of `train.networks`, whose convolutions and dense layers have no
            activations of their own.
        images: uint8 (N, H, W, 3), RGB, 0-255, over which the means are taken.
        scales: of the int8 kernels.
    """
    exact = keras.models.clone_model(
        model,
        input_tensors=keras.Input(model.input_shape[1:], dtype="float64"),
        clone_function=lambda layer: type(layer).from_config(
            layer.get_config() | {"dtype": "float64"}
        ),
    )
    exact.set_weights([np.asarray(weight, np.float64) for weight in model.get_weights()])
    kinds = (keras.layers.Conv2D, _DEPTHWISE, keras.layers.Dense)
    layers = [x for x in exact.layers if isinstance(x, kinds)]
    reader = {id(x.input): x for x in exact.layers}
    inputs = keras.Model(exact.inputs, [layer.input for layer in layers], name=model.name)
    means = _means(inputs, images)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for number, (layer, mean) in enumerate(zip(layers, means, strict=True)):
        error = _rounding_error(number, layer, scales)
        shift = _mean_output(layer, error, mean)
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
    at_once = max(1, _BATCH_PIXELS // (images.shape[1] * images.shape[2]))
    for start in range(0, len(images), at_once):
        batch = images[start : start + at_once].astype(np.float64) / NETWORKS[model.name].divisor
        outputs = model([batch], training=False)
        of_batch = [np.asarray(output).sum(axis=0) for output in outputs]
        sums = [a + b for a, b in zip(sums, of_batch, strict=True)] if sums else of_batch
    return [total / len(images) for total in sums]


def _rounding_error(number: int, layer: keras.layers.Layer, scales: Scales) -> NDArray[np.float64]:
    """Return int8 kernel minus float kernel, float64, for the layer at this place."""
    # A depthwise kernel is (height, width, channels, 1), the others (..., output channels).
    outputs = 2 if isinstance(layer, _DEPTHWISE) else -1
    kernel = np.moveaxis(np.asarray(layer.kernel), outputs, 0)
    of_layer = scales(number, kernel)
    error = rounded(kernel, of_layer) * of_layer.reshape(-1, *[1] * (kernel.ndim - 1)) - kernel
    return np.moveaxis(error, 0, outputs)


def _mean_output(
    layer: keras.layers.Layer, kernel: NDArray[np.float64], mean_input: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean output of each channel if the layer had this kernel and no bias."""
    layer.kernel.assign(kernel)
    if layer.use_bias:
        layer.bias.assign(np.zeros(layer.bias.shape))
    output = np.asarray(layer(mean_input[np.newaxis]))
    return output.mean(axis=tuple(range(output.ndim - 1)))
