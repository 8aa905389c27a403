"""Make the tiny models that the runtime's tests use: `python -m tests.golden.make`.

Most classify a 4 x 4 image as the colour channel that is brightest on average, so that tests know
the expected label. This script needs the extra `export`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from edge_runtime.inference.metadata import LABELS_FILE
from edge_runtime.tflite.metadata import attach

HERE = Path(__file__).parent
LABELS = {LABELS_FILE: b"red\ngreen\nblue\n"}


def brightest_channel(image: tf.Tensor) -> tf.Tensor:
    return tf.nn.softmax(8.0 * tf.reduce_mean(image, axis=[1, 2]))


def logits(image: tf.Tensor) -> tf.Tensor:
    return 8.0 * tf.reduce_mean(image, axis=[1, 2])


def brightness(image: tf.Tensor) -> tf.Tensor:
    """Classify a grey image as dark, medium or bright, with scores of shape [1, 1, 1, 3]."""
    grey = tf.reduce_mean(image, axis=[1, 2])
    distance = tf.abs(grey - tf.constant([[0.0, 0.5, 1.0]]))
    return tf.reshape(tf.nn.softmax(-8.0 * distance), [1, 1, 1, 3])


def convert(function, shapes, integer=None) -> bytes:
    """Convert a function of float32 tensors; quantize it if an integer type is given."""
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    module = tf.Module()
    module.call = tf.function(function, input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.call.get_concrete_function()], module
    )
    if integer is not None:
        images = np.linspace(0, 1, 20 * 48, dtype=np.float32).reshape(20, 1, 4, 4, 3)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = integer
    return converter.convert()


def convert_int16(function, shape) -> bytes:
    """Convert with int16 activations, input and scores."""
    module = tf.Module()
    module.call = tf.function(function, input_signature=[tf.TensorSpec(shape, tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.call.get_concrete_function()], module
    )
    images = np.linspace(0, 1, 20 * 48, dtype=np.float32).reshape(20, 1, 4, 4, 3)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([image] for image in images)
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
    converter.inference_input_type = converter.inference_output_type = tf.int16
    return converter.convert()


def main() -> None:
    image = [1, 4, 4, 3]
    models = {
        "float32": attach(convert(brightest_channel, [image]), LABELS),
        "uint8": attach(convert(brightest_channel, [image], tf.uint8), LABELS),
        "int8": attach(convert(brightest_channel, [image], tf.int8), LABELS),
        "unlabelled": convert(brightest_channel, [image]),
        "int16": convert_int16(brightest_channel, image),
        "logits": convert(logits, [image]),
        "grey": convert(brightness, [[1, 4, 4, 1]]),
        "two_inputs": convert(lambda a, b: brightest_channel(a + b), [image, image]),
        "no_image": convert(lambda x: tf.nn.softmax(x), [[1, 3]]),
        "image_to_image": convert(lambda x: x * 2.0, [image]),
    }
    for name, data in models.items():
        (HERE / f"{name}.tflite").write_bytes(data)


if __name__ == "__main__":
    main()
