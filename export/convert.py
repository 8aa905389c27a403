"""From a Keras network to a .tflite graph whose fixed input holds one image."""

from __future__ import annotations

import tempfile
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from edge_runtime.support import native_log


def to_float32(model: keras.Model) -> bytes:
    """Convert a network as it is: float32 input [1, side, side, 3], and float32 output."""
    return converted(model, lambda converter: None)


def converted(model: keras.Model, configure: Callable[[tf.lite.TFLiteConverter], None]) -> bytes:
    """Convert a network with TensorFlow's converter.

    Args:
        configure: sets the converter's options.

    Raises:
        ValueError: an operation has no kernel of the wanted type.
    """
    _, *shape = model.input_shape
    signature = [tf.TensorSpec([1, *shape], tf.float32, name="image")]
    with tempfile.TemporaryDirectory() as folder, native_log.dropped():
        model.export(folder, format="tf_saved_model", input_signature=signature, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        configure(converter)
        return free_batch(converter.convert())


def free_batch(model: bytes) -> bytes:
    """Let callers resize the batch: reshape to [-1, ...] instead of [1, ...].

    A graph traced with a free batch would compute shapes at run time, which splits the delegate's
    partition. A graph traced with a batch of 1 repeats that 1 as a constant in each RESHAPE, which
    then fails with any other batch. The constant is changed in place, so that all offsets and
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
