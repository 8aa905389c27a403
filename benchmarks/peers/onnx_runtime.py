"""ONNX Runtime on the CPU: float32, and int8 as QDQ nodes with per-channel scales."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from benchmarks.peers.convertible import ConvertibleNetwork, channels_first, first_scores
from benchmarks.peers.onnx_graph import INPUT, onnx_file
from edge_runtime.support.environment import read_environment
from edge_runtime.support.files import replacing

PRECISIONS = ("float32", "int8")


def lacks(precision: str) -> str:
    """Return why this machine does not support a precision, or an empty string."""
    return ""


def make(network: ConvertibleNetwork, folder: Path) -> dict[str, Path]:
    """Return the ONNX files of the network by precision; missing files are made."""
    floats, int8 = onnx_file(network, folder), folder / f"{network.name}-int8.onnx"
    if not int8.exists():
        with replacing(int8) as temporary:
            _quantize(floats, temporary, network.calibration)
    return {"float32": floats, "int8": int8}


class PeerRunner:
    """A loaded ONNX file."""

    def __init__(self, path: Path, precision: str, threads: int, batch: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._bound = self._session.io_binding()
        self._bound.bind_output(self._session.get_outputs()[0].name)
        self._batch = batch

    def ready(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return channels_first(image, self._batch)

    def run(self, ready: NDArray[np.float32]) -> Any:
        self._bound.bind_cpu_input(INPUT, ready)  # 3 % faster than `InferenceSession.run`
        self._session.run_with_iobinding(self._bound)
        return self._bound.copy_outputs_to_cpu()[0]

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return first_scores(self.run(self.ready(image)))


class _Images(CalibrationDataReader):
    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._images: Iterator[NDArray[np.uint8]] = iter(images)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        image = next(self._images, None)
        return None if image is None else {INPUT: channels_first(image, 1)}


def _quantize(path: Path, out: Path, calibration: NDArray[np.uint8]) -> None:
    """Quantize as the documentation of `quantize_static` recommends for this CPU."""
    has = set(read_environment().instructions)
    arm = "asimd" in has or "neon" in has
    prepared = out.with_suffix(".prepared")
    try:
        quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(out),
            _Images(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QInt8 if arm else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            reduce_range=not arm and not has & {"avx_vnni", "avx512_vnni"},
        )
    finally:
        prepared.unlink(missing_ok=True)
