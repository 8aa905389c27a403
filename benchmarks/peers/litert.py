"""LiteRT's interpreter without our runtime, on our own files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks.peers.convertible import ConvertibleNetwork, first_scores
from edge_runtime.inference.quantization import Quantization
from edge_runtime.support import native_log

PRECISIONS = ("float32", "int8")


def lacks(precision: str) -> str:
    """Return why this machine does not support a precision, or an empty string."""
    return ""


def make(network: ConvertibleNetwork, folder: Path) -> dict[str, Path]:
    """Return the network's files by precision."""
    return network.files


class PeerRunner:
    """A .tflite file whose input takes pixels, or pixels divided by 255."""

    def __init__(self, path: Path, precision: str, threads: int, batch: int) -> None:
        with native_log.dropped():
            self._interpreter: Any = Interpreter(model_path=str(path), num_threads=threads)
            [image] = self._interpreter.get_input_details()
            if batch > 1:
                self._interpreter.resize_tensor_input(image["index"], [batch, *image["shape"][1:]])
            self._interpreter.allocate_tensors()
        [output] = self._interpreter.get_output_details()
        self._input, self._output = image["index"], output["index"]
        self._dtype, self._batch = image["dtype"], batch
        self._quantization = Quantization(*output["quantization"])

    def ready(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        floats = self._dtype == np.float32
        pixels: NDArray[Any] = image.astype(np.float32) / np.float32(255) if floats else image
        return np.repeat(pixels[np.newaxis], self._batch, axis=0)

    def run(self, ready: NDArray[Any]) -> NDArray[Any]:
        self._interpreter.set_tensor(self._input, ready)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return first_scores(self._quantization.dequantize(self.run(self.ready(image))))
