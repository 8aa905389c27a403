"""What all model cards share: the version of their layout, and the description of a graph's ends.

`SCHEMA_VERSION` changes when a key is renamed or removed, or when its meaning changes. A new key
leaves it as it is, because readers ignore keys that they do not know.
"""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

SCHEMA_VERSION = 1


def input_and_output(graph: bytes) -> dict[str, Any]:
    """Return shape, type and quantization of a graph's input and output."""
    subgraph = schema.ModelT.InitFromPackedBuf(graph).subgraphs[0]
    names = {v: k.lower() for k, v in vars(schema.TensorType).items() if isinstance(v, int)}
    ends = {}
    for end, indices in (("input", subgraph.inputs), ("output", subgraph.outputs)):
        tensor = subgraph.tensors[indices[0]]
        ends[end] = {"shape": [int(n) for n in tensor.shape], "dtype": names[tensor.type]}
        if tensor.quantization is not None and tensor.quantization.scale is not None:
            ends[end]["scale"] = float(tensor.quantization.scale[0])
            ends[end]["zero_point"] = int(tensor.quantization.zeroPoint[0])
    return ends
