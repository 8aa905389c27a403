"""Rebuild a network in tf_keras, because TensorFlow Model Optimization takes no other models.

Every BatchNorm is folded into the convolution or dense layer before it, which freezes it.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from train.folding import absorb
from train.temperature import LAST_LAYER

LINEAR = (keras.layers.Conv2D, keras.layers.Dense)


def build(model: keras.Model) -> tf_keras.Model:
    """Rebuild a network in tf_keras up to its logits, with BatchNorms folded and equal outputs.

    An outlier head is left out.

    Args:
        model: made of the layers that `train.architectures` uses; every BatchNorm directly
            follows a convolution or a dense layer.
    """
    outputs: dict[str, tf.Tensor] = {}  # of each rebuilt layer, by name
    model = keras.Model(model.inputs, model.get_layer(LAST_LAYER).output, name=model.name)
    stands_for, norms, with_relu = _absorbed(model)
    values: dict[str, list[NDArray]] = {}
    last = ""
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            outputs[layer.name] = inputs = tf_keras.Input(model.input_shape[1:], name=layer.name)
            continue
        if layer.name in stands_for:
            continue
        rebuilt = _rebuilt(layer, relu=layer.name in with_relu)
        tensors = [outputs[stands_for.get(name, name)] for name in _read_layers(layer)]
        outputs[layer.name] = rebuilt(tensors if len(tensors) > 1 else tensors[0])
        if isinstance(layer, LINEAR):
            values[layer.name] = _folded(layer, norms.get(layer.name))
        last = layer.name
    rebuilt_model = tf_keras.Model(inputs, outputs[last], name=model.name)
    for name, arrays in values.items():
        rebuilt_model.get_layer(name).set_weights(arrays)
    return rebuilt_model


def _absorbed(
    model: keras.Model,
) -> tuple[dict[str, str], dict[str, keras.layers.BatchNormalization], set[str]]:
    """Find the layers that are not rebuilt because the layer before them absorbs them.

    A dropout layer is left out, and a BatchNorm is folded in. A ReLU becomes the activation of the
    layer before it, because TensorFlow Model Optimization leaves the kernel of a convolution or
    dense layer in float if a ReLU layer follows.

    Returns:
        For each absorbed layer the one that stands for it, for each layer the BatchNorm to fold
        in, and the layers whose activation becomes a ReLU; all by name.
    """
    stands_for: dict[str, str] = {}
    norms: dict[str, keras.layers.BatchNormalization] = {}
    with_relu: set[str] = set()
    for layer in model.layers:
        if not isinstance(
            layer, (keras.layers.BatchNormalization, keras.layers.Dropout, keras.layers.ReLU)
        ):
            continue
        [before] = _read_layers(layer)
        before = stands_for.get(before, before)
        if isinstance(layer, keras.layers.ReLU):
            if not isinstance(model.get_layer(before), LINEAR):
                continue
            with_relu.add(before)
        elif isinstance(layer, keras.layers.BatchNormalization):
            norms[before] = layer
        stands_for[layer.name] = before
    return stands_for, norms, with_relu


def _read_layers(layer: keras.layers.Layer) -> list[str]:
    """Return the names of the layers whose output a layer reads."""
    tensors = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation.name for tensor in tensors]


def _rebuilt(layer: keras.layers.Layer, *, relu: bool) -> tf_keras.layers.Layer:
    """Return a tf_keras layer of the same kind and name, with or without a ReLU activation."""
    kinds = {
        "Conv2D": ("filters", "kernel_size", "strides", "padding"),
        "Dense": ("units",),
        "ReLU": (),
        "MaxPooling2D": ("pool_size", "strides", "padding"),
        "ZeroPadding2D": ("padding",),
        "GlobalAveragePooling2D": (),
        "Flatten": (),
        "Add": (),
    }
    kind = type(layer).__name__
    config = layer.get_config()
    options = {name: config[name] for name in kinds[kind]}
    if relu:
        options["activation"] = "relu"
    return getattr(tf_keras.layers, kind)(name=layer.name, **options)


def _folded(
    layer: keras.layers.Layer, norm: keras.layers.BatchNormalization | None
) -> list[NDArray]:
    """Return a layer's kernel and bias, with the BatchNorm behind it folded in."""
    kernel, *rest = (np.asarray(w, np.float64) for w in layer.get_weights())
    bias = rest[0] if rest else np.zeros(kernel.shape[-1])
    return [kernel, bias] if norm is None else [*absorb(kernel, bias, norm)]
