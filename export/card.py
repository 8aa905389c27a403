"""The model card: what a .tflite file says about its origin and its use.

`edge_runtime.inference.metadata`, `export.micro` and the browser page read it. It depends on the
checkpoint, the images and the tools alone: not on time, place, user or the package's version, so
that a release changes no model's bytes.

`SCHEMA_VERSION` changes when a key is renamed or removed, or when its meaning changes. A new key
leaves it as it is, because readers ignore keys that they do not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from ai_edge_litert import schema_py_generated as schema

SCHEMA_VERSION = 1
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
    """Return the model card of a graph whose real input values are pixels divided by 255.

    Args:
        graph: a .tflite file.
        precision: "float32", "float16", "dynamic", "int8" or "int8-qat".
        classes: labels in the order of the scores.
        training: what the checkpoint says about itself; `python -m train ship` writes it.
        calibration: the images that set activation ranges; None if the graph has no ranges.
        tools: distributions that helped to make the graph; the card records their versions.
        ours: whether this project ships the weights; the card then names its authors and licence.
    """
    figures = ("epochs", "seed", "temperature", "held_out_top1", "test_top1")
    recipe = {"recipe": training["recipe_name"]} if "recipe_name" in training else {}
    return {
        "schema_version": SCHEMA_VERSION,
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
        "io": _input_and_output(graph),
        "training": recipe | {key: training[key] for key in figures if key in training},
        "calibration": dict(calibration) if calibration else None,
        "checkpoint_sha256": checkpoint_sha256,
        **({"author": AUTHOR, "license": LICENSE} if ours else {}),
        "tools": {name: version(name) for name in sorted(tools)},
    }


def _input_and_output(graph: bytes) -> dict[str, Any]:
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
