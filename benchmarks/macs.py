"""Count the multiply-adds per image of a .tflite graph, from the file itself."""

from __future__ import annotations

import math
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from edge_runtime.inference.placement import WEIGHTED_OPERATIONS
from edge_runtime.tflite.graph import operator_name


def read_model(path: Path) -> schema.ModelT:
    """Return a .tflite file as the objects of LiteRT's schema.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not a .tflite model.
    """
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise ValueError(f"{path} is not a .tflite model.")
    return schema.ModelT.InitFromPackedBuf(data)


def multiply_adds(path: Path) -> int:
    """Return the multiply-adds of all convolutions and dense layers, for the shapes in the file.

    Element-wise operations are not counted.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not a .tflite model.
    """
    model = read_model(path)
    return sum(multiply_adds_of(model, operator) for operator in model.subgraphs[0].operators)


def multiply_adds_of(model: schema.ModelT, operator: schema.OperatorT) -> int:
    """Return the multiply-adds of an operation of the first graph; 0 without weights.

    Each element of the output takes one multiply-add per weight of its filter.
    """
    kind = operator_name(model.operatorCodes[operator.opcodeIndex])
    if kind not in WEIGHTED_OPERATIONS:
        return 0
    tensors = model.subgraphs[0].tensors
    # filters: (out, height, width, in), (1, height, width, out) or (out, in)
    weights = [int(n) for n in tensors[operator.inputs[1]].shape]
    output = math.prod(int(n) for n in tensors[operator.outputs[0]].shape)
    depthwise = kind == "DEPTHWISE_CONV_2D"
    return output * math.prod(weights[1:3] if depthwise else weights[1:])
