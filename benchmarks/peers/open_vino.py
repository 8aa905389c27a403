"""OpenVINO on the CPU: float32, bfloat16 if the CPU supports it, and int8 by NNCF."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.convertible import ConvertibleNetwork, channels_first, first_scores
from benchmarks.peers.onnx_graph import onnx_file
from edge_runtime.inference.openvino import without_telemetry
from edge_runtime.support import native_log

with without_telemetry():
    import nncf
    import openvino

PRECISIONS = ("float32", "bfloat16", "int8")
# By precision of the file, the precision of the operations that are not quantized.
_HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


def lacks(precision: str) -> str:
    """Return why this machine does not support a precision, or an empty string."""
    offered = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if precision == "bfloat16" and "BF16" not in offered:
        return "this CPU has no bfloat16 instructions"
    return ""


def make(network: ConvertibleNetwork, folder: Path) -> dict[str, Path]:
    """Return the OpenVINO files of the network by precision; missing files are made.

    The int8 file comes from NNCF's post-training quantization. Its activation ranges come from all
    calibration images.
    """
    floats, int8 = (folder / f"{network.name}-{p}.xml" for p in ("float32", "int8"))
    if not floats.exists():
        _save(openvino.convert_model(onnx_file(network, folder)), floats)
    if not int8.exists():
        logging.getLogger("nncf").setLevel(logging.WARNING)
        model = openvino.Core().read_model(floats)
        channels, height, width = (network.calibration.shape[i] for i in (3, 1, 2))
        model.reshape([1, channels, height, width])
        images = nncf.Dataset(list(network.calibration), lambda image: channels_first(image, 1))
        with native_log.captured():  # NNCF prints its progress on standard output
            quantized = nncf.quantize(model, images, subset_size=len(network.calibration))
        quantized.reshape([-1, channels, height, width])
        _save(quantized, int8)
    return {"float32": floats, "bfloat16": floats, "int8": int8}


class PeerRunner:
    """A loaded OpenVINO file, compiled for a fixed batch."""

    def __init__(self, path: Path, precision: str, threads: int, batch: int) -> None:
        core = openvino.Core()
        model = core.read_model(path)
        shape = model.input(0).get_partial_shape()
        model.reshape([batch, *(shape[i].get_length() for i in (1, 2, 3))])
        options = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": _HINTS[precision],
        }
        self._request = core.compile_model(model, "CPU", options).create_infer_request()
        self._input = self._request.get_input_tensor(0).data
        self._output = self._request.get_output_tensor(0).data
        self._batch = batch

    def ready(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return channels_first(image, self._batch)

    def run(self, ready: NDArray[np.float32]) -> NDArray[np.float32]:
        self._input[:] = ready  # a quarter faster than calling the compiled model
        self._request.infer()
        return self._output.copy()

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return first_scores(self.run(self.ready(image)))


def _save(model: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    openvino.save_model(model, path, compress_to_fp16=False)
