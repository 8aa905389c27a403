"""Classify images with quantized LiteRT models: the part of edge-classify that runs on the device.

    from edge_runtime import Classifier

    with Classifier() as classifier:
        for prediction in classifier.classify("cat.png"):
            print(prediction.label, prediction.score)

The names below are imported on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge_runtime.classifier import Classifier as Classifier
    from edge_runtime.classifier import Prediction as Prediction
    from edge_runtime.errors import DelegateError as DelegateError
    from edge_runtime.errors import EdgeRuntimeError as EdgeRuntimeError
    from edge_runtime.errors import ImageError as ImageError
    from edge_runtime.errors import ModelError as ModelError
    from edge_runtime.errors import StreamError as StreamError
    from edge_runtime.inference.delegates import Availability as Availability
    from edge_runtime.inference.delegates import available_delegates as available_delegates
    from edge_runtime.inputs.decode import load_image as load_image
    from edge_runtime.jobs.stream import Frame as Frame

_HOME = {
    "Availability": "inference.delegates",
    "Classifier": "classifier",
    "DelegateError": "errors",
    "EdgeRuntimeError": "errors",
    "Frame": "jobs.stream",
    "ImageError": "errors",
    "ModelError": "errors",
    "Prediction": "classifier",
    "StreamError": "errors",
    "available_delegates": "inference.delegates",
    "load_image": "inputs.decode",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
