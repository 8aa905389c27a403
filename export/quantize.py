"""Post-training quantization of a network: float16, dynamic range or full-integer int8.

All of it is TensorFlow's converter. LiteRT's own quantizer would be added here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_runtime.tflite.graph import operator_name, packed
from export.convert import converted
from export.deployed import Normalization

_UNIT_RANGE = Normalization(0, 255)


class IoType(StrEnum):
    """Type of a model's input and of its scores."""

    UINT8 = "uint8"
    INT8 = "int8"
    FLOAT32 = "float32"


def to_float16(model: keras.Model) -> bytes:
    """Convert a network with float16 weights; input, scores and arithmetic are float32."""

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]

    return converted(model, configure)


def to_dynamic(model: keras.Model) -> bytes:
    """Convert a network with int8 weights, one scale per channel; input and scores are float32.

    While they run, the kernels quantize each image's activations by the image's own range.
    """

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]

    return converted(model, configure)


def to_int8(
    model: keras.Model,
    calibration: NDArray[np.uint8],
    *,
    io: IoType = IoType.UINT8,
    output: IoType | None = None,
    pixels: Normalization = _UNIT_RANGE,
) -> bytes:
    """Convert and quantize a network: int8 throughout, one scale per output channel of weights.

    The range of every activation is its minimum and maximum over the calibration images (Jacob et
    al. 2018, arXiv:1712.05877). The input's range is that of 0-255, whatever the images contain.

    Args:
        model: the network.
        calibration: uint8 (N, side, side, 3), RGB, 0-255.
        io: type of the input and, without `output`, of the output.
        output: type of the output.
        pixels: how pixels become the network's input.

    Raises:
        ValueError: an operation has no int8 kernel.
    """
    images = with_full_range(calibration)

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative_dataset(images, pixels)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.dtypes.as_dtype(io)
        converter.inference_output_type = tf.dtypes.as_dtype(output or io)

    return with_range_of_scores(converted(model, configure))


def with_range_of_scores(graph: bytes) -> bytes:
    """Give a product of int8 scores, and what it is copied to, the range of a softmax.

    That is 0 to 255/256. The converter takes it from the calibration images, whose highest product
    is another number for each network. A graph without such a product is returned as it is.

    Args:
        graph: an int8 .tflite file.
    """
    model = schema.ModelT.InitFromPackedBuf(graph)
    [subgraph] = model.subgraphs
    operators = [
        (operator_name(model.operatorCodes[operator.opcodeIndex]), operator)
        for operator in subgraph.operators
    ]
    scores = {op.outputs[0] for kind, op in operators if kind in ("SOFTMAX", "LOGISTIC")}
    products = {
        operator.outputs[0]
        for kind, operator in operators
        if kind == "MUL" and {*operator.inputs} <= scores
    }
    copies = {
        op.outputs[0] for kind, op in operators if kind == "QUANTIZE" and op.inputs[0] in products
    }
    for tensor in (subgraph.tensors[index] for index in products | copies):
        zero_point = 0 if tensor.type == schema.TensorType.UINT8 else -128
        tensor.quantization.scale = np.array([1 / 256], np.float32)
        tensor.quantization.zeroPoint = np.array([zero_point], np.int64)
    return packed(model) if products else graph


def with_full_range(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return calibration images that contain both 0 and 255; change two pixels if they do not.

    The input's scale then becomes exactly 1/255, or 1/128 for EfficientNet-Lite0. So raw pixels
    are the quantized input, and no pixel lies outside its range.

    Args:
        images: uint8 (N, H, W, 3); never changed in place.
    """
    if images.min() > 0 or images.max() < 255:
        images = images.copy()
        images[0, 0, 0], images[0, -1, -1] = 0, 255
    return images


def representative_dataset(
    images: NDArray[np.uint8], pixels: Normalization = _UNIT_RANGE
) -> Callable[[], Iterator[list[NDArray[np.float32]]]]:
    """Return calibration images as the converter expects them.

    Args:
        images: uint8 (N, H, W, 3), 0-255.
        pixels: how pixels become the network's input.

    Returns:
        A function that yields one image at a time: float32 [1, H, W, 3].
    """

    def one_by_one() -> Iterator[list[NDArray[np.float32]]]:
        for image in images:
            yield [(image[np.newaxis].astype(np.float32) - pixels.mean) / pixels.std]

    return one_by_one
