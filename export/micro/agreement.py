"""Compare TensorFlow Lite Micro's output with the runtime's, on the same input tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.opening import open_engine
from edge_runtime.support import native_log


@dataclass(frozen=True)
class Agreement:
    """How close TensorFlow Lite Micro's output is to that of one of the runtime's delegates.

    Attributes:
        delegate: of the runtime, "cpu" or "xnnpack".
        images: number of images.
        top1: share of images with the same top-1 class.
        equal: share of images with equal output, to the bit.
        max_difference: largest difference of any score.
    """

    delegate: str
    images: int
    top1: float
    equal: float
    max_difference: float

    def __str__(self) -> str:
        return (
            f"against --delegate {self.delegate}, {self.images} held-out images: agreement "
            f"{self.top1:.2%}, equal {self.equal:.2%}, largest score difference "
            f"{self.max_difference:.2g}"
        )


def open_interpreter(graph: bytes, path: Path) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Load a graph in TensorFlow Lite Micro, and run it once to see that it can.

    Args:
        graph: a .tflite file without an archive behind it.
        path: the file that the graph is from, for messages.

    Returns:
        A function from an input tensor, (1, H, W, channels) of the input's type, to the raw output,
        (classes,) of the output's type.

    Raises:
        EdgeRuntimeError: TensorFlow Lite Micro cannot run it.
    """
    from tflite_micro import runtime

    try:
        with native_log.dropped():
            interpreter = runtime.Interpreter.from_bytes(graph)
            image = interpreter.get_input_details(0)
            interpreter.set_input(np.zeros(image["shape"], image["dtype"]), 0)
            interpreter.invoke()
    except RuntimeError as exc:
        raise EdgeRuntimeError(
            f"{path} does not run on TensorFlow Lite Micro ({exc}); export it with --quantize int8."
        ) from exc

    def interpret(image: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_input(image, 0)
        interpreter.invoke()
        raw: NDArray[Any] = interpreter.get_output(0)
        return raw.reshape(-1).copy()

    return interpret


def agree(
    delegate: str, path: Path, inputs: Sequence[NDArray[Any]], outputs: NDArray[Any]
) -> Agreement:
    """Compare raw outputs of TensorFlow Lite Micro with those of one of the runtime's delegates.

    Args:
        delegate: "cpu" or "xnnpack".
        path: the .tflite file.
        inputs: N input tensors, each (1, H, W, channels) of the input's type.
        outputs: what TensorFlow Lite Micro gave for them, (N, classes) of the output's type.
    """
    engine = open_engine(path, delegate=delegate)
    ours = np.stack([engine.run(image).reshape(-1) for image in inputs])
    difference = np.abs(ours.astype(np.float64) - outputs)
    return Agreement(
        delegate=delegate,
        images=len(inputs),
        top1=float(np.mean(ours.argmax(axis=1) == outputs.argmax(axis=1))),
        equal=float(np.mean((difference == 0).all(axis=1))),
        max_difference=float(difference.max()) * (engine.output.quantization.scale or 1.0),
    )
