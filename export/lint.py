"""Find what costs an exported graph time or accuracy needlessly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.inference.placement import WEIGHTED_OPERATIONS
from edge_runtime.support import native_log

# They compute shapes or copy at run time, and split the delegate's partition.
_SHAPE_ARITHMETIC = frozenset(
    {"SHAPE", "STRIDED_SLICE", "PACK", "GATHER", "SLICE", "FILL", "BROADCAST_TO"}
)
_ENDS = frozenset({"QUANTIZE", "DEQUANTIZE"})


def lint(
    path: Path, *, io: str, integer: bool, float_layers: int = 0, output: str | None = None
) -> list[str]:
    """Return what is wrong with a graph, one phrase per finding; a good graph has none.

    QUANTIZE at the ends and SOFTMAX are expected outside the delegate.

    Args:
        path: a .tflite file.
        io: type that input and output should have: "uint8", "int8" or "float32".
        integer: whether all arithmetic should be in integers.
        float_layers: number of convolutions and dense layers that are kept in float on purpose.
        output: type that the output should have, if it differs from the input's.
    """
    with native_log.dropped():
        interpreter = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    # No public API of LiteRT lists nodes. The list keeps the nodes that the delegate took, and the
    # delegate's own nodes name the weights that they took over.
    nodes = interpreter._get_ops_details()
    types = {t["index"]: np.dtype(t["dtype"]) for t in interpreter.get_tensor_details()}
    taken = {i for node in nodes if node["op_name"] == "DELEGATE" for i in node["inputs"]}
    graph = [node for node in nodes if node["op_name"] != "DELEGATE"]
    weighted = [node for node in graph if node["op_name"] in WEIGHTED_OPERATIONS]
    # float16 weights reach their node through a DEQUANTIZE, which the delegate takes too.
    stored = {n["outputs"][0]: n["inputs"][0] for n in graph if n["op_name"] == "DEQUANTIZE"}

    found = []
    for end, details, wanted in (
        ("input", interpreter.get_input_details(), io),
        ("output", interpreter.get_output_details(), output or io),
    ):
        got = ", ".join(np.dtype(d["dtype"]).name for d in details)
        if got != wanted:
            found.append(f"expected one {end} of type {wanted}, but got {got}")
    found += [
        f"{node['op_name']} (node {node['index']}) computes shapes or copies at run time"
        for node in graph
        if node["op_name"] in _SHAPE_ARITHMETIC
        or (node["op_name"] == "CONCATENATION" and types[node["outputs"][0]] == np.int32)
    ]
    if integer:
        islands = [
            node
            for node in graph
            if node["op_name"] not in _ENDS and types[node["outputs"][0]] == np.float32
        ]
        on_purpose = (
            float_layers == sum(node["op_name"] in WEIGHTED_OPERATIONS for node in islands) > 0
        )
        if islands and not on_purpose:
            names = ", ".join(f"{node['op_name']} (node {node['index']})" for node in islands)
            found.append(f"{names} runs in float inside an integer graph")
    found += [
        f"{node['op_name']} (node {node['index']}) is left outside the delegate"
        for node in weighted
        if stored.get(node["inputs"][1], node["inputs"][1]) not in taken
    ]
    return found
