"""Count the multiply-adds per image of a .tflite graph, from the file itself."""

from __future__ import annotations

import math
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from edge_runtime.inference.placement import WEIGHTED_OPERATIONS
from edge_runtime.tflite.graph import operator_name


def multiply_adds(path: Path) -> int:
    """Return the multiply-adds of all convolutions and dense layers, for the shapes in the file.

    Each element of a layer's output takes one multiply-add per weight of its filter. Element-wise
    operations are not counted.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not a .tflite model.
    """
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise ValueError(f"{path} is not a .tflite model.")
    model = schema.ModelT.InitFromPackedBuf(data)
    graph = model.subgraphs[0]
    total = 0
    for operator in graph.operators:
        kind = operator_name(model.operatorCodes[operator.opcodeIndex])
        if kind not in WEIGHTED_OPERATIONS:
            continue
        # filters: (out, height, width, in), (1, height, width, out) or (out, in)
        weights = [int(n) for n in graph.tensors[operator.inputs[1]].shape]
        output = math.prod(int(n) for n in graph.tensors[operator.outputs[0]].shape)
        depthwise = kind == "DEPTHWISE_CONV_2D"
        total += output * math.prod(weights[1:3] if depthwise else weights[1:])
    return total
