"""Running a .tflite graph: the only file that imports ai_edge_litert.

An engine runs one image at a time on XNNPACK, LiteRT's default delegate for the CPU.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edge_runtime import native_log
from edge_runtime.errors import ModelError
from edge_runtime.quantization import Quantization


@dataclass(frozen=True)
class Tensor:
    """Shape, type and quantization of a graph's input or output."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantization: Quantization


class Engine:
    """An image classifier's graph, ready to run.

    Attributes:
        input: the image, (1, height, width, 3).
        output: the scores, (1, classes).
    """

    def __init__(self, path: Path, *, threads: int) -> None:
        """Load a graph.

        Raises:
            ModelError: the file is no LiteRT model, or its graph is not an image classifier's.
        """
        try:
            with native_log.dropped():
                self._interpreter = Interpreter(model_path=str(path), num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as exc:
            raise ModelError(
                f"{path} is not a valid .tflite model; copy or export it again."
            ) from exc
        inputs = self._interpreter.get_input_details()
        outputs = self._interpreter.get_output_details()
        if not (len(inputs) == len(outputs) == 1 and _classifies(inputs[0], outputs[0])):
            raise ModelError(
                f"{path} is not an image classifier: expected one input [1, height, width, 3] and "
                f"one output [1, classes], float32, uint8 or int8, "
                f"but got {_shapes(inputs)} and {_shapes(outputs)}."
            )
        self._input_index: int = inputs[0]["index"]
        self._output_index: int = outputs[0]["index"]
        self.input = _tensor(inputs[0])
        self.output = _tensor(outputs[0])
        for tensor in (self.input, self.output):
            if np.issubdtype(tensor.dtype, np.integer) and not tensor.quantization.scale > 0:
                raise ModelError(
                    f"{path} has a {tensor.dtype} input or output without a quantization scale; "
                    f"quantize the model again."
                )

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the raw output of one image.

        Args:
            image: of the input's shape and type.

        Returns:
            A new array of the output's shape and type.

        Raises:
            ModelError: an operation of the graph failed.
        """
        try:
            self._interpreter.set_tensor(self._input_index, image)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as exc:
            raise ModelError(f"The model cannot be run ({exc}); export it again.") from exc
        result: NDArray[Any] = self._interpreter.get_tensor(self._output_index)
        return result


def _classifies(input_: dict[str, Any], output: dict[str, Any]) -> bool:
    image, scores = tuple(input_["shape"]), tuple(output["shape"])
    dtypes = {np.dtype(input_["dtype"]), np.dtype(output["dtype"])}
    return (
        len(image) == 4
        and image[0] == 1
        and image[3] == 3
        and len(scores) == 2
        and scores[0] == 1
        and min(*image, *scores) > 0
        and dtypes <= {np.dtype(t) for t in (np.float32, np.uint8, np.int8)}
    )


def _shapes(details: list[dict[str, Any]]) -> str:
    shapes = [f"{np.dtype(d['dtype'])} {[int(n) for n in d['shape']]}" for d in details]
    return ", ".join(shapes) or "none"


def _tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    return Tensor(
        shape=tuple(int(n) for n in details["shape"]),
        dtype=np.dtype(details["dtype"]),
        quantization=Quantization(float(scale), int(zero_point)),
    )
