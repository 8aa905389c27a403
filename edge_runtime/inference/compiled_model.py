"""The engine on LiteRT's CompiledModel: `gpu` and `npu`."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ai_edge_litert
import numpy as np
from ai_edge_litert.compiled_model import CompiledModel, GpuOptions, HardwareAccelerator, Options
from ai_edge_litert.environment import Environment, EnvironmentOptions

from edge_runtime.errors import DelegateError, ModelError
from edge_runtime.inference import reasons
from edge_runtime.inference.placement import Placement
from edge_runtime.support import native_log

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.engine import Engine


class CompiledModelEngine:
    """An engine on LiteRT's CompiledModel, see `edge_runtime.inference.engine.Engine`."""

    def __init__(self, path: Path, delegate: str, gpu_precision: str, on_cpu: Engine) -> None:
        """Compile a graph that LiteRT's Interpreter accepts.

        Args:
            path: the .tflite file.
            delegate: `gpu` (WebGPU) or `npu` (a vendor's library).
            gpu_precision: type in which the GPU computes, `fp32` or `fp16`.
            on_cpu: the same graph on `cpu`, which knows what this engine cannot ask.

        Raises:
            DelegateError: the delegate is not available here, or it does not take the graph.
        """
        self._path = path
        self.input, self.output = on_cpu.input, on_cpu.output
        self.scoring, self.integer = on_cpu.scoring, on_cpu.integer
        with native_log.captured() as log:
            try:
                self._model = CompiledModel.from_file(
                    str(path),
                    environment=_environment(),
                    options=_options(delegate, gpu_precision),
                )
                complete = self._model.is_fully_accelerated()
                self._inputs = self._model.create_input_buffers(0)
                self._outputs = self._model.create_output_buffers(0)
                # Run it here, because only the first run sets everything up, and logs it.
                self.run(np.zeros(self.input.shape, self.input.dtype))
            except (ValueError, RuntimeError, ModelError) as exc:
                raise DelegateError(reasons.why_not(delegate, path, log(), exc)) from exc
        if not complete:
            raise DelegateError(
                f"The {delegate} does not take every operation of {path} "
                f"({reasons.last_complaint(log()) or 'it does not say which'}); "
                f"use --delegate xnnpack."
            )
        operations = on_cpu.placement.operations
        self.placement = Placement(delegate, 1, operations, operations, ())

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the raw output, see `edge_runtime.inference.engine.Engine`."""
        classes = int(np.prod(self.output.shape))
        try:
            self._inputs[0].write(image)
            self._model.run_by_index(0, self._inputs, self._outputs)
            result: NDArray[Any] = self._outputs[0].read(classes, self.output.dtype.type)
        except (ValueError, RuntimeError) as exc:
            raise ModelError(
                f"{self._path} could not be run ({reasons.first_line(exc)}); "
                f"use --delegate xnnpack."
            ) from exc
        return result.reshape(-1)

    def __del__(self) -> None:
        with native_log.dropped():  # LiteRT logs what it frees
            self._inputs = self._outputs = []
            self._model = None


@cache
def _environment() -> Any:
    """Return LiteRT's environment, one for the whole process."""
    home = os.path.dirname(os.path.abspath(ai_edge_litert.__file__))  # noqa: PTH100, PTH120
    environment = Environment.create(options=EnvironmentOptions(runtime_path=home))
    # Never free it, because LiteRT would log that on standard error when Python ends.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(environment.capsule))
    return environment


def _options(delegate: str, gpu_precision: str) -> Any:
    return Options(
        hardware_accelerators=HardwareAccelerator[delegate.upper()],
        gpu_options=GpuOptions(enforce_f32=gpu_precision == "fp32"),
    )
