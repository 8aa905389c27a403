"""Post-training quantization of a network: float16, dynamic range or full-integer int8.

All of it is TensorFlow's converter; LiteRT's own quantizer would take its place here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from export.convert import converted

Io = Literal["uint8", "int8", "float32"]


def to_float16(model: keras.Model) -> bytes:
    """Convert a network with float16 weights; input, scores and arithmetic are float32."""

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    return converted(model, configure)


def to_dynamic(model: keras.Model) -> bytes:
    """Convert a network with int8 weights, a scale a channel; input and scores are float32.

    The kernels quantize each image's activations by their own range while they run.
    """

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    return converted(model, configure)


def to_int8(model: keras.Model, calibration: NDArray[np.uint8], *, io: Io = "uint8") -> bytes:
    """Convert and quantize a network: int8 throughout, per-channel weights.

    The range of every activation is the minimum and maximum over the calibration images
    (Jacob et al. 2018, arXiv:1712.05877), the input's 0 to 1 whatever they are.

    Args:
        calibration: uint8 (N, 32, 32, 3), RGB.
        io: type of the input and of the scores.

    Raises:
        ValueError: an operation has no int8 kernel.
    """
    images = with_full_range(calibration)

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative_dataset(images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(io)

    return converted(model, configure)


def with_full_range(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return calibration images with two pixels changed where they do not go from 0 to 255.

    The input's scale becomes exactly 1/255, so that raw pixels are the quantized input and none is
    brighter or darker than it can say.
    """
    if images.min() > 0 or images.max() < 255:
        images = images.copy()
        images[0, 0, 0], images[0, -1, -1] = 0, 255
    return images


def representative_dataset(
    images: NDArray[np.uint8],
) -> Callable[[], Iterator[list[NDArray[np.float32]]]]:
    """Return images as the converter wants them: one at a time, scaled to 0-1."""

    def one_by_one() -> Iterator[list[NDArray[np.float32]]]:
        for image in images:
            yield [image[np.newaxis].astype(np.float32) / 255.0]

    return one_by_one
