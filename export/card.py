"""The model card: what a .tflite file says about its origin and its use.

`edge_runtime.inference.metadata`, `export.micro` and the browser page read it. It depends on the
checkpoint, the images and the tools alone: not on time, place, user or the package's version, so
that a release changes no model's bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

from edge_runtime.tflite.card import SCHEMA_VERSION, input_and_output

AUTHOR = "the edge-classify authors"
LICENSE = "Apache-2.0"
FEATURE_EXTRACTOR = "feature extractor"  # the `kind` of a card without classes


def model_card(
    graph: bytes,
    *,
    network: str,
    precision: str,
    classes: Sequence[str] | None,
    parameters: int,
    checkpoint_sha256: str,
    training: Mapping[str, Any],
    calibration: Mapping[str, Any] | None,
    tools: Sequence[str],
    ours: bool,
    pixels: tuple[float, float] = (0.0, 255.0),
) -> dict[str, Any]:
    """Return the model card of a graph.

    Args:
        graph: a .tflite file.
        precision: "float32", "float16", "dynamic", "int8" or "int8-qat".
        classes: labels in the order of the scores; None if the graph gives features instead.
        training: what the checkpoint says about itself; `python -m train ship` writes it.
        calibration: the images that set activation ranges; None if the graph has no ranges.
        tools: distributions that helped to make the graph; the card records their versions.
        ours: whether this project ships the weights; the card then names its authors and licence.
        pixels: mean and deviation; the graph's real input values are (pixel - mean) / deviation.
    """
    mean, std = map(float, pixels)
    figures = ("epochs", "seed", "temperature", "held_out_top1", "test_top1", "outliers")
    origin = {key: training[key] for key in ("package", "sha256", "license") if key in training}
    recipe = {"recipe": training["recipe_name"]} if "recipe_name" in training else {}
    return {
        "schema_version": SCHEMA_VERSION,
        "network": network,
        "precision": precision,
        **({"kind": FEATURE_EXTRACTOR} if classes is None else {"classes": list(classes)}),
        "parameters": parameters,
        "preprocessing": {
            "fit": "crop",  # the largest centred part with the input's shape
            "resize": "bicubic",  # antialiased
            "mean": [mean] * 3,
            "std": [std] * 3,
        },
        "io": input_and_output(graph),
        "training": recipe | {key: training[key] for key in figures if key in training},
        "calibration": dict(calibration) if calibration else None,
        "checkpoint_sha256": checkpoint_sha256,
        **({"weights": origin} if origin else {}),
        **({"author": AUTHOR, "license": LICENSE} if ours else {}),
        "tools": {name: version(name) for name in sorted(tools)},
    }
