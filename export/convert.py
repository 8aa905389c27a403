"""From a Keras network to a .tflite graph, in float32 or full-integer int8.

The one place that calls TensorFlow's converter, so that LiteRT's own quantizer can take its place.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_runtime import native_log


def to_float32(model: keras.Model) -> bytes:
    """Convert a network: float32 input [1, 32, 32, 3] in 0-1, float32 scores."""
    return _convert(model, lambda converter: None)


def to_int8(model: keras.Model, calibration: NDArray[np.uint8]) -> bytes:
    """Convert and quantize a network: int8 throughout, per-channel weights, uint8 in and out.

    The range of every activation is the minimum and maximum over the calibration images
    (Jacob et al. 2018, arXiv:1712.05877).

    Args:
        calibration: uint8 (N, 32, 32, 3), RGB. They should contain black and white, which makes
            the input's scale exactly 1/255, so that raw pixels are the quantized input.

    Raises:
        ValueError: an operation has no int8 kernel.
    """

    def representative_dataset() -> Iterator[list[NDArray[np.float32]]]:
        for image in calibration:
            yield [image[np.newaxis].astype(np.float32) / 255.0]

    def configure(converter: tf.lite.TFLiteConverter) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = representative_dataset
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.uint8
        converter.inference_output_type = tf.uint8

    return _convert(model, configure)


def _convert(model: keras.Model, configure: Callable[[tf.lite.TFLiteConverter], None]) -> bytes:
    _, *shape = model.input_shape
    signature = [tf.TensorSpec([1, *shape], tf.float32, name="image")]
    with tempfile.TemporaryDirectory() as folder, native_log.dropped():
        model.export(folder, format="tf_saved_model", input_signature=signature, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        configure(converter)
        return free_batch(converter.convert())


def free_batch(model: bytes) -> bytes:
    """Let callers resize the batch: reshape to [-1, ...] where the graph says [1, ...].

    A graph traced with a free batch would compute shapes at run time, which splits the delegate's
    partition; one traced with a batch of 1 repeats it as a constant in each RESHAPE, which then
    fails for any other batch. The constant is changed in place, so that all offsets and
    alignments stay.
    """
    data = bytearray(model)
    graph = schema.Model.GetRootAs(data)
    for i in range(graph.SubgraphsLength()):
        subgraph = graph.Subgraphs(i)
        for j in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(j)
            code = graph.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
            if code == schema.BuiltinOperator.RESHAPE:
                shape = graph.Buffers(subgraph.Tensors(operator.Inputs(1)).Buffer())
                sizes = shape.DataAsNumpy().view(np.int32)
                if sizes[0] == 1:
                    sizes[0] = -1
    return bytes(data)
