"""A network rebuilt in tf_keras, the only models that TensorFlow Model Optimization works on.

Every BatchNorm is folded into the convolution or dense layer before it, and so frozen.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from train.folding import absorb

LINEAR = (keras.layers.Conv2D, keras.layers.Dense)


def build(model: keras.Model) -> tf_keras.Model:
    """Rebuild a network in tf_keras up to its logits, BatchNorms folded, with equal outputs.

    Args:
        model: made of the layers of `train.architectures`; every BatchNorm directly follows a
            convolution or a dense layer.
    """
    outputs: dict[str, tf.Tensor] = {}  # of each layer that is rebuilt, by name
    stands_for, norms, with_relu = _absorbed(model)
    values: dict[str, list[NDArray]] = {}
    last = ""
    for layer in model.layers:
        if isinstance(layer, keras.layers.InputLayer):
            outputs[layer.name] = inputs = tf_keras.Input(model.input_shape[1:], name=layer.name)
            continue
        if layer.name in stands_for:
            continue
        if isinstance(layer, keras.layers.Softmax):
            break
        rebuilt = _rebuilt(layer, relu=layer.name in with_relu)
        tensors = [outputs[stands_for.get(source, source)] for source in _sources(layer)]
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
    """Return which layer stands for one that is not rebuilt, and what it takes from it.

    A dropout layer is left out and a BatchNorm folded in. A ReLU becomes the activation of the
    layer before it, for TensorFlow Model Optimization leaves the kernel of a convolution or dense
    layer in float where a ReLU layer follows.
    """
    stands_for: dict[str, str] = {}
    norms: dict[str, keras.layers.BatchNormalization] = {}
    with_relu: set[str] = set()
    for layer in model.layers:
        if not isinstance(
            layer, (keras.layers.BatchNormalization, keras.layers.Dropout, keras.layers.ReLU)
        ):
            continue
        [source] = _sources(layer)
        source = stands_for.get(source, source)
        if isinstance(layer, keras.layers.ReLU):
            if not isinstance(model.get_layer(source), LINEAR):
                continue
            with_relu.add(source)
        elif isinstance(layer, keras.layers.BatchNormalization):
            norms[source] = layer
        stands_for[layer.name] = source
    return stands_for, norms, with_relu


def _sources(layer: keras.layers.Layer) -> list[str]:
    """Return the names of the layers that a layer reads."""
    tensors = layer.input if isinstance(layer.input, list) else [layer.input]
    return [tensor._keras_history.operation.name for tensor in tensors]


def _rebuilt(layer: keras.layers.Layer, *, relu: bool) -> tf_keras.layers.Layer:
    """Return a new tf_keras layer of the same kind and name, with a ReLU or without."""
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
    """Return kernel and bias of a layer, with the BatchNorm behind it folded in."""
    kernel, *rest = (np.asarray(w, np.float64) for w in layer.get_weights())
    bias = rest[0] if rest else np.zeros(kernel.shape[-1])
    return [kernel, bias] if norm is None else [*absorb(kernel, bias, norm)]
