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
    from edge_runtime.errors import ClusterError as ClusterError
    from edge_runtime.errors import DelegateError as DelegateError
    from edge_runtime.errors import EdgeRuntimeError as EdgeRuntimeError
    from edge_runtime.errors import ImageError as ImageError
    from edge_runtime.errors import ModelError as ModelError
    from edge_runtime.errors import OptionError as OptionError
    from edge_runtime.errors import OutputError as OutputError
    from edge_runtime.errors import ResumeError as ResumeError
    from edge_runtime.errors import StreamError as StreamError
    from edge_runtime.errors import TeachingError as TeachingError
    from edge_runtime.inference.check import Verdict as Verdict
    from edge_runtime.inference.check import check as check
    from edge_runtime.inference.delegates import Availability as Availability
    from edge_runtime.inference.delegates import available_delegates as available_delegates
    from edge_runtime.inference.placement import Placement as Placement
    from edge_runtime.inputs.decode import load_image as load_image
    from edge_runtime.results import Frame as Frame
    from edge_runtime.results import Prediction as Prediction
    from edge_runtime.results import Result as Result
    from edge_runtime.teaching.report import TeachingReport as TeachingReport
    from edge_runtime.teaching.teach import teach as teach

_HOME = {
    "Availability": "inference.delegates",
    "Classifier": "classifier",
    "ClusterError": "errors",
    "DelegateError": "errors",
    "EdgeRuntimeError": "errors",
    "Frame": "results",
    "ImageError": "errors",
    "ModelError": "errors",
    "OptionError": "errors",
    "OutputError": "errors",
    "Placement": "inference.placement",
    "Prediction": "results",
    "ResumeError": "errors",
    "Result": "results",
    "StreamError": "errors",
    "TeachingError": "errors",
    "TeachingReport": "teaching.report",
    "Verdict": "inference.check",
    "available_delegates": "inference.delegates",
    "check": "inference.check",
    "load_image": "inputs.decode",
    "teach": "teaching.teach",
}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
