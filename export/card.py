"""The model card: what a .tflite file says of its origin and its use.

Its keys are read by `edge_runtime.inference.metadata`, `export.micro` and the browser page; a later version
may add some but rename none. Nothing in it depends on when, where or by whom a file is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from ai_edge_litert import schema_py_generated as schema

AUTHOR = "the edge-classify authors"
LICENSE = "Apache-2.0"


def model_card(
    graph: bytes,
    *,
    network: str,
    precision: str,
    classes: Sequence[str],
    parameters: int,
    checkpoint_sha256: str,
    training: Mapping[str, Any],
    calibration: Mapping[str, Any] | None,
    tools: Sequence[str],
    ours: bool,
) -> dict[str, Any]:
    """Return the model card of a graph whose input's real values are pixels divided by 255.

    Args:
        graph: a .tflite file.
        precision: "float32", "float16", "dynamic", "int8" or "int8-qat".
        classes: labels in the order of the scores.
        training: what the checkpoint says of itself, see `train.run.ship`.
        calibration: of a graph with activation ranges, the images that set them.
        tools: distributions that had a part in the graph; their versions are recorded.
        ours: whether the weights are those of this project, and so its authors' and its licence's.
    """
    figures = ("epochs", "seed", "temperature", "held_out_top1", "test_top1")
    recipe = {"recipe": training["recipe_name"]} if "recipe_name" in training else {}
    return {
        "network": network,
        "precision": precision,
        "classes": list(classes),
        "parameters": parameters,
        "preprocessing": {
            "fit": "crop",  # the largest centred part with the input's shape
            "resize": "bicubic",  # antialiased
            "mean": [0.0, 0.0, 0.0],
            "std": [255.0, 255.0, 255.0],
        },
        "io": _io(graph),
        "training": recipe | {key: training[key] for key in figures if key in training},
        "calibration": dict(calibration) if calibration else None,
        "checkpoint_sha256": checkpoint_sha256,
        "version": version("edge-classify"),
        **({"author": AUTHOR, "license": LICENSE} if ours else {}),
        "tools": {name: version(name) for name in sorted(tools)},
    }


def _io(graph: bytes) -> dict[str, Any]:
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
