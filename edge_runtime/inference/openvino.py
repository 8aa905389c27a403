"""Running a .tflite graph with OpenVINO on the CPU: the only file of the runtime that imports it.

Without instructions that multiply bytes and add in 32 bits (VNNI on x86), OpenVINO's int8 kernels
multiply uint8 activations by int8 weights and add the products of two adjacent input channels in
16 bits. A sum beyond 32,767 is cut off there, without an error. The CNN of this project fell from
92.9 to 88.1 % in that way. Such a file is refused on such a CPU, unless its weights are small
enough that no sum can be cut off (`python -m export.tflite --weight-bits 7`).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np

from edge_runtime.errors import DelegateError, ModelError
from edge_runtime.inference import reasons
from edge_runtime.inference.placement import OPENVINO, Placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.engine import Engine

_USE_XNNPACK = "use --delegate xnnpack"
# 255 * 128 = 32,640 fits into 16 bits with a sign, and 255 * 129 = 32,895 does not.
_LARGEST_PAIR = 128
_PROBE_CHANNELS = 16
_TELEMETRY = "openvino_telemetry"


class OpenVinoEngine:
    """An engine on `openvino`, see `edge_runtime.inference.engine.Engine`."""

    def __init__(
        self,
        path: Path,
        on_cpu: Engine,
        kernels: Callable[[], Iterator[NDArray[Any]]],
        *,
        threads: int = 1,
        batch: int = 1,
    ) -> None:
        """Compile a graph that LiteRT accepts.

        Args:
            path: the .tflite file.
            on_cpu: the same graph on `cpu`, for one image.
            kernels: yields the kernels of layers with 8-bit inputs, see `pair_sums`; called
                only on a CPU where their size matters.
            threads: CPU threads for one image.
            batch: number of images in each run.

        Raises:
            DelegateError: OpenVINO is not installed, does not take the graph, or would compute it
                wrongly on this CPU.
            ModelError: the graph does not take batches of this size.
        """
        self._path = path
        self.input = on_cpu.input._replace(shape=(batch, *on_cpu.input.shape[1:]))
        self.output = on_cpu.output
        self.scoring, self.integer = on_cpu.scoring, on_cpu.integer
        operations = on_cpu.placement.operations
        self.placement = Placement(OPENVINO, threads, operations, operations, ())
        if _forked:
            raise DelegateError(
                "OpenVINO cannot run in a process that was forked from one which used it; start "
                f"the process with spawn, or {_USE_XNNPACK}."
            )
        core = _core()
        if path.suffix != ".tflite":
            raise DelegateError(
                f"OpenVINO takes only files that end in .tflite; rename {path}, or {_USE_XNNPACK}."
            )
        if self.integer and _saturates() and _can_saturate(kernels()):
            raise DelegateError(
                f"OpenVINO would compute {path} wrongly on this CPU, which lacks byte multiply-add "
                f"instructions (VNNI): sums of 8-bit products overflow; export the model with "
                f"--weight-bits 7, or {_USE_XNNPACK}."
            )
        try:
            model = core.read_model(path)
            if batch > 1:
                _resize(model, self.input.shape, path)
            request = core.compile_model(model, "CPU", _options(threads)).create_infer_request()
        except ModelError:
            raise
        except Exception as exc:  # OpenVINO's errors share no other base
            raise DelegateError(
                f"OpenVINO cannot run {path} ({reasons.openvino_complaint(exc)}); {_USE_XNNPACK}."
            ) from exc
        self._request = request
        _engines.add(self)
        self._input = request.get_input_tensor(0).data
        self._output = request.get_output_tensor(0).data
        ours = (self._input.shape, self._input.dtype, self._output.dtype)
        if ours != (self.input.shape, self.input.dtype, self.output.dtype):
            raise DelegateError(
                f"OpenVINO changes the input or output of {path} ({ours[1]} {ours[0]} to "
                f"{ours[2]}); {_USE_XNNPACK}."
            )

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the raw output, see `edge_runtime.inference.engine.Engine`."""
        if (image.shape, image.dtype) != (self.input.shape, self.input.dtype):
            raise ModelError(
                f"{self._path} takes {self.input.dtype} {self.input.shape}, but got {image.dtype} "
                f"{image.shape}."
            )
        self._input[:] = image
        try:
            self._request.infer()
        except RuntimeError as exc:
            raise ModelError(
                f"{self._path} could not be run ({reasons.openvino_complaint(exc)}); "
                f"{_USE_XNNPACK}."
            ) from exc
        result: NDArray[Any] = self._output.reshape(-1).copy()
        return result


def pair_sums(kernel: NDArray[Any]) -> NDArray[Any]:
    """Return the sums of two weights that an x86 kernel without VNNI adds in 16 bits.

    Such kernels add the products of input channels 0 and 1, 2 and 3 and so on, at the same place
    of the image. Activations are not negative there, so only weights of the same sign add up.

    Args:
        kernel: numbers of at least 16 bits without zero point, (output channels, ..., input
            channels).

    Returns:
        (output channels, ..., pairs), the larger of the sum of the positive and that of the
        negative weights, without its sign.
    """
    even, odd = kernel[..., ::2], kernel[..., 1::2]
    if odd.shape != even.shape:
        odd = np.concatenate([odd, np.zeros_like(even[..., :1])], axis=-1)
    positive = np.maximum(even, 0) + np.maximum(odd, 0)
    negative = np.minimum(even, 0) + np.minimum(odd, 0)
    sums: NDArray[Any] = np.maximum(positive, -negative)
    return sums


def _can_saturate(kernels: Iterator[NDArray[Any]]) -> bool:
    return any(int(pair_sums(kernel).max(initial=0)) > _LARGEST_PAIR for kernel in kernels)


def _resize(model: Any, shape: tuple[int, ...], path: Path) -> None:
    """Resize a graph's input to a batch; many graphs have a batch of 1 built in.

    Raises:
        ModelError: this one has.
    """
    try:
        model.reshape(list(shape))
        fits = model.output(0).shape[0] == shape[0]
    except Exception:  # as above
        fits = False
    if not fits:
        raise ModelError(f"{path} does not take {shape[0]} images at once; use a batch of 1.")


def _options(threads: int) -> dict[str, Any]:
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",  # otherwise a CPU may compute in bfloat16
        "ENABLE_CPU_PINNING": False,  # several processes would share one core
    }


@cache
def _core() -> Any:
    """Return OpenVINO's core, one for the whole process.

    Raises:
        DelegateError: OpenVINO is not installed.
    """
    return _imported().Core()


@contextlib.contextmanager
def without_telemetry() -> Iterator[None]:
    """Keep OpenVINO, imported within, from its telemetry, which reports to Google Analytics.

    OpenVINO and its tools do without the module that reports.
    """
    absent = _TELEMETRY not in sys.modules
    if absent:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if absent:
            del sys.modules[_TELEMETRY]


def _imported() -> Any:
    """Import OpenVINO, and return the module.

    Raises:
        DelegateError: OpenVINO is not installed.
    """
    try:
        with without_telemetry():
            import openvino
    except ImportError as exc:
        raise DelegateError(
            f"OpenVINO is not installed; pip install 'edge-classify[openvino]', or {_USE_XNNPACK}."
        ) from exc
    return openvino


@cache
def _saturates() -> bool:
    """Return whether this CPU's int8 kernels cut sums of products off.

    A convolution with the largest values tells, whatever the CPU and its limits
    (`ONEDNN_MAX_CPU_ISA`) are.
    """
    from openvino import Model
    from openvino import opset13 as ops

    image = ops.parameter([1, _PROBE_CHANNELS, 8, 8], np.uint8)
    # This quantizes to the same 256 steps, and makes OpenVINO look for int8 kernels.
    bounds = [np.float32(bound) for bound in (0, 255, 0, 255)]
    steps = ops.fake_quantize(ops.convert(image, "f32"), *bounds, 256)
    weights = np.full((_PROBE_CHANNELS, _PROBE_CHANNELS, 1, 1), 127, np.int8)
    scale = np.ones((_PROBE_CHANNELS, 1, 1, 1), np.float32)
    kernel = ops.multiply(ops.convert(ops.constant(weights), "f32"), scale)
    sums = ops.convolution(steps, kernel, [1, 1], [0, 0], [0, 0], [1, 1])
    request = _core().compile_model(Model([sums], [image]), "CPU", _options(1))
    found = request([np.full((1, _PROBE_CHANNELS, 8, 8), 255, np.uint8)])[0]
    return not np.allclose(found, 255 * 127 * _PROBE_CHANNELS, rtol=1e-3)


_engines: WeakSet[OpenVinoEngine] = WeakSet()
_forked = False  # from a process that used OpenVINO


def _after_fork() -> None:
    """Mark this process as a child that lacks the threads of OpenVINO.

    Running, loading and even freeing would wait for them, so what there is stays in memory.
    """
    global _forked
    if _core.cache_info().currsize:
        _forked = True
        for kept in (_core(), *(engine._request for engine in _engines)):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(kept))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
