"""A copy of a tf_keras network that rounds its kernels and activations to int8 and back.

Training the copy makes the network robust against that rounding.
"""

from __future__ import annotations

import warnings

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

with warnings.catch_warnings():  # it compares versions with distutils
    warnings.simplefilter("ignore", DeprecationWarning)
    import tensorflow_model_optimization as tfmot

_BATCH = 50  # images whose activations of all layers are in memory at once


def quantization_aware(teacher: tf_keras.Model, images: NDArray[np.uint8]) -> tf_keras.Model:
    """Return a copy that rounds kernels and activations, with the activation ranges of `teacher`.

    Args:
        teacher: from `tf_keras_model.build`.
        images: uint8 (N, 32, 32, 3), RGB, 0-255; the ranges are those of the activations on them.
    """
    student = _rounded(teacher)
    _set_ranges(student, teacher, images)
    return student


class _DenseKernel(tfmot.quantization.keras.quantizers.Quantizer):
    """Rounds as the converter does: symmetric, one scale per output channel, 127 steps each way.

    TensorFlow Model Optimization's own quantizer has one scale for all channels. This one rounds in
    training only, because the converter cannot read per-channel scales from a dense layer; it
    computes such scales itself if the kernel has none.
    """

    def build(self, shape: tf.TensorShape, name: str, layer: tf_keras.layers.Layer) -> dict:
        return {}

    def __call__(self, kernel: tf.Tensor, training: bool, weights: dict, **_: object) -> tf.Tensor:
        if not training:
            return kernel
        largest = tf.reduce_max(tf.abs(kernel), axis=0)
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(
            kernel, -largest, largest, narrow_range=True
        )

    def get_config(self) -> dict:
        return {}


class _Dense(tfmot.quantization.keras.QuantizeConfig):
    """Rounds the kernel of a dense layer with `_DenseKernel`, and its output as other layers do."""

    def get_weights_and_quantizers(self, layer: tf_keras.layers.Dense) -> list:
        return [(layer.kernel, _DenseKernel())]

    def get_activations_and_quantizers(self, layer: tf_keras.layers.Dense) -> list:
        as_elsewhere = tfmot.quantization.keras.quantizers.MovingAverageQuantizer(
            num_bits=8, per_axis=False, symmetric=False, narrow_range=False
        )
        return [(layer.activation, as_elsewhere)]

    def set_quantize_weights(self, layer: tf_keras.layers.Dense, weights: list) -> None:
        [layer.kernel] = weights

    def set_quantize_activations(self, layer: tf_keras.layers.Dense, activations: list) -> None:
        [layer.activation] = activations

    def get_output_quantizers(self, layer: tf_keras.layers.Dense) -> list:
        return []

    def get_config(self) -> dict:
        return {}


def _rounded(teacher: tf_keras.Model) -> tf_keras.Model:
    def annotated(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        config = _Dense() if isinstance(layer, tf_keras.layers.Dense) else None
        return tfmot.quantization.keras.quantize_annotate_layer(layer, config)

    with tfmot.quantization.keras.quantize_scope({"_Dense": _Dense}):
        return tfmot.quantization.keras.quantize_apply(
            tf_keras.models.clone_model(teacher, clone_function=annotated)
        )


def _set_ranges(
    student: tf_keras.Model, teacher: tf_keras.Model, images: NDArray[np.uint8]
) -> None:
    """Set the ranges of the student's activations; the default is -6 to 6 everywhere."""
    of_layers = tf_keras.Model(teacher.input, {x.name: x.output for x in teacher.layers[1:]})
    ranges: dict[str, tuple[float, float]] = {}
    for start in range(0, len(images), _BATCH):
        pixels = images[start : start + _BATCH].astype(np.float32) / 255.0
        for name, x in of_layers.predict_on_batch(pixels).items():
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = min(low, float(x.min())), max(high, float(x.max()))
    for layer in student.layers:
        # The input layer wraps no other layer. Pixels are 0-1, so that a step is exactly 1/255.
        low, high = ranges[layer.layer.name] if hasattr(layer, "layer") else (0.0, 1.0)
        for variable in layer.variables:
            name = variable.name.rsplit("/", 1)[-1]
            if "kernel" not in name and name.endswith("_min:0"):
                variable.assign(min(low, 0.0))
            elif "kernel" not in name and name.endswith("_max:0"):
                variable.assign(high)
