"""Writing a .tflite graph."""

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_runtime.inference import shipped
from edge_runtime.tflite.graph import packed
from edge_runtime.tflite.metadata import detached


def per_channel(model):
    """The quantization of each tensor that has a scale for each channel."""
    all_of_them = [tensor.quantization for tensor in model.subgraphs[0].tensors]
    return [q for q in all_of_them if q and q.scale is not None and len(q.scale) > 1]


def test_equal_zero_points_are_written_once_and_read_everywhere():
    graph = schema.ModelT.InitFromPackedBuf(detached(shipped.models()["cnn-int8"].read_bytes()))
    kernels = per_channel(graph)
    channels = sum(len(kernel.scale) for kernel in kernels)
    again = packed(graph)
    for kernel in kernels:
        kernel.zeroPoint = np.arange(len(kernel.scale)) + 1000 * kernel.scale[0]
        kernel.zeroPoint = kernel.zeroPoint.astype(np.int64)
    different = packed(graph)
    assert len(different) - len(again) > 8 * channels / 2
    for data in (again, different):
        found = per_channel(schema.ModelT.InitFromPackedBuf(data))
        for kernel, expected in zip(found, kernels, strict=True):
            zero_points = expected.zeroPoint if data is different else np.zeros(len(kernel.scale))
            np.testing.assert_array_equal(kernel.zeroPoint, zero_points)
            np.testing.assert_array_equal(kernel.scale, expected.scale)
