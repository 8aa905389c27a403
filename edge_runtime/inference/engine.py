"""Running a .tflite graph with LiteRT: the only file that imports ai_edge_litert.

An engine runs one image at a time, or a batch on the CPU. There are three kinds.
`xnnpack`, `cpu` and external delegates run in LiteRT's Interpreter, which starts fastest and is
what external delegates need. `gpu` and `npu` run in its CompiledModel, and `openvino` in another
library. There is no silent fallback: if a delegate cannot be used, opening it raises an error that
says why.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import ai_edge_litert
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType, load_delegate

from edge_runtime.errors import DelegateError, ModelError
from edge_runtime.inference import reasons
from edge_runtime.inference.placement import (
    ACCELERATORS,
    CPU_DELEGATES,
    DELEGATE_CHOICES,
    OPENVINO,
    WEIGHTED_OPERATIONS,
    Placement,
    Scoring,
    operations_of,
    scoring,
)
from edge_runtime.inference.signature import Tensor, read_signature
from edge_runtime.support import native_log

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BYTES = {np.dtype(np.int8), np.dtype(np.uint8)}


class Engine(Protocol):
    """The graph of an image classifier, ready to run.

    Attributes:
        input: images, (batch, height, width, channels).
        output: scores of one image, one or more dimensions of 1 and then the classes.
        scoring: where the graph turns logits into scores, if it does.
        integer: whether the graph uses integer arithmetic, whose rounding differs between engines.
        placement: which delegate runs which operations.
    """

    input: Tensor
    output: Tensor
    scoring: Scoring
    integer: bool
    placement: Placement

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the raw output, (classes,), or that of each image of a batch in a row.

        Args:
            image: of the input's type and shape. In LiteRT's Interpreter it may have any number of
                images, if the graph takes them.

        Raises:
            ModelError: an operation of the graph failed, or the graph does not take so many images.
        """


def open_engine(
    path: Path,
    *,
    delegate: str = "xnnpack",
    threads: int = 1,
    gpu_precision: str = "fp32",
    batch: int = 1,
    on_cpu: Engine | None = None,
) -> Engine:
    """Load a graph on one delegate.

    Args:
        path: the .tflite file.
        delegate: one of `DELEGATES`, or the path of an external delegate's library.
        threads: CPU threads for one image.
        gpu_precision: type in which the GPU computes, `fp32` or `fp16`.
        batch: number of images in each run.
        on_cpu: an engine of the same file on `cpu`, if there is one. `openvino`, `gpu` and `npu`
            need what it knows of the graph and would open one otherwise.

    Raises:
        ModelError: the file is not a LiteRT model, its graph is not an image classifier's, or it
            does not take batches of this size.
        DelegateError: the delegate is not available here, or it does not take the graph.
    """
    if delegate in ACCELERATORS:
        if batch > 1:
            raise DelegateError(f"The {delegate} takes one image at a time; use a batch of 1.")
        return _Compiled(path, delegate, gpu_precision, on_cpu or _Interpreted(path, "cpu", 1))
    if delegate == OPENVINO:
        return _openvino(path, on_cpu or _Interpreted(path, "cpu", 1), threads, batch)
    return _Interpreted(path, delegate, threads, batch)


class _Interpreted:
    """An engine on `xnnpack`, `cpu` or an external delegate."""

    def __init__(self, path: Path, delegate: str, threads: int, batch: int = 1) -> None:
        self._path = path
        external = delegate not in CPU_DELEGATES
        # LiteRT's BUILTIN applies XNNPACK too, in spite of its name.
        resolver = (
            OpResolverType.AUTO
            if delegate == "xnnpack"
            else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        loaded = [_load_external(delegate)] if external else None
        try:
            with native_log.dropped():
                interpreter = Interpreter(
                    model_path=str(path),
                    num_threads=threads,
                    experimental_op_resolver_type=resolver,
                    experimental_delegates=loaded,
                )
                interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as exc:
            if external:
                raise DelegateError(
                    f"The delegate {delegate} cannot run {path} ({reasons.first_line(exc)}); "
                    f"compile the model for it, or use --delegate xnnpack."
                ) from exc
            raise ModelError(reasons.why_not_loaded(path, exc)) from exc
        self._interpreter = interpreter
        self.input, self.output, self._input_index, self._output_index = read_signature(
            interpreter.get_input_details(), interpreter.get_output_details(), path
        )
        self._batch = 1
        if batch > 1:
            self._resize(batch)
            self.input = self.input._replace(shape=(batch, *self.input.shape[1:]))
        operations, delegated = operations_of(interpreter._get_ops_details())
        outside = tuple(op["op_name"] for i, op in enumerate(operations) if i not in delegated)
        self.scoring = scoring(operations, self._output_index)
        self.integer = any(
            np.dtype(t["dtype"]).itemsize < 4 and np.issubdtype(t["dtype"], np.integer)
            for t in interpreter.get_tensor_details()
            if t["index"] != self._input_index
        )
        self.placement = Placement(
            delegate,
            threads,
            len(operations) if delegate == "cpu" else len(delegated),
            len(operations),
            () if delegate == "cpu" else outside,
        )
        left = WEIGHTED_OPERATIONS.intersection(outside)
        if delegate == "xnnpack" and left:
            raise DelegateError(
                f"XNNPACK does not take {', '.join(sorted(left))} of {path}; use --delegate cpu."
            )
        if external and not delegated:
            raise DelegateError(
                f"The delegate {delegate} takes no operation of {path}; use --delegate cpu."
            )

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        if len(image) != self._batch:
            self._resize(len(image))
        try:
            self._interpreter.set_tensor(self._input_index, image)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as exc:
            raise ModelError(reasons.why_not_run(self._path, exc)) from exc
        result: NDArray[Any] = self._interpreter.get_tensor(self._output_index)
        return result.reshape(-1)

    def _resize(self, batch: int) -> None:
        """Resize the input to a batch; many graphs have a batch of 1 built in."""
        self._batch = 0  # unknown until all succeeds
        try:
            with native_log.dropped():
                self._interpreter.resize_tensor_input(
                    self._input_index, (batch, *self.input.shape[1:])
                )
                self._interpreter.allocate_tensors()
            fits = self._interpreter.get_output_details()[0]["shape"][0] == batch
        except (ValueError, RuntimeError):
            fits = False
        if not fits:
            raise ModelError(
                f"{self._path} does not take {batch} images at once; use a batch of 1."
            )
        self._batch = batch


def _openvino(path: Path, on_cpu: Engine, threads: int, batch: int) -> Engine:
    from edge_runtime.inference.openvino import OpenVinoEngine

    return OpenVinoEngine(
        path,
        image=on_cpu.input,
        output=on_cpu.output,
        scoring=on_cpu.scoring,
        integer=on_cpu.integer,
        operations=on_cpu.placement.operations,
        kernels=partial(_kernels_of, path),
        threads=threads,
        batch=batch,
    )


def _kernels_of(path: Path) -> Iterator[NDArray[np.int16]]:
    """Yield the integer kernels of convolutions and dense layers whose inputs are integers.

    Yields:
        The stored values less their zero point, int16 (output channels, ..., input channels).
        Depthwise kernels are left out, because each of their outputs reads one input channel.
    """
    interpreter = _Interpreted(path, "cpu", 1)._interpreter
    tensors = {t["index"]: t for t in interpreter.get_tensor_details()}
    for operation in interpreter._get_ops_details():
        if operation["op_name"] in WEIGHTED_OPERATIONS - {"DEPTHWISE_CONV_2D"}:
            image, kernel = (tensors[int(index)] for index in operation["inputs"][:2])
            if {np.dtype(t["dtype"]) for t in (image, kernel)} <= _BYTES:
                zero_points = kernel["quantization_parameters"]["zero_points"]
                zero_point = int(zero_points[0]) if len(zero_points) else 0
                yield interpreter.get_tensor(kernel["index"]).astype(np.int16) - zero_point


class _Compiled:
    """An engine on `gpu` (WebGPU) or `npu` (a vendor's library)."""

    def __init__(self, path: Path, delegate: str, gpu_precision: str, on_cpu: Engine) -> None:
        from ai_edge_litert.compiled_model import CompiledModel

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
    from ai_edge_litert.environment import Environment, EnvironmentOptions

    home = os.path.dirname(os.path.abspath(ai_edge_litert.__file__))  # noqa: PTH100, PTH120
    environment = Environment.create(options=EnvironmentOptions(runtime_path=home))
    # Never free it, because LiteRT would log that on standard error when Python ends.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(environment.capsule))
    return environment


def _options(delegate: str, gpu_precision: str) -> Any:
    from ai_edge_litert.compiled_model import GpuOptions, HardwareAccelerator, Options

    return Options(
        hardware_accelerators=HardwareAccelerator[delegate.upper()],
        gpu_options=GpuOptions(enforce_f32=gpu_precision == "fp32"),
    )


def _load_external(library: str) -> Any:
    try:
        # Look at the library first: if LiteRT's own class fails, it cannot even be deleted.
        if not hasattr(ctypes.CDLL(library), "tflite_plugin_create_delegate"):
            raise ValueError("it is not a LiteRT delegate")
        with native_log.dropped():
            return load_delegate(library)
    except (OSError, ValueError, RuntimeError) as exc:
        reason = " ".join(str(exc).split()) or "it gives no reason"
        raise DelegateError(
            f"The delegate {library} cannot be loaded ({reason}); expected {DELEGATE_CHOICES}, "
            f"or the path of a LiteRT delegate library."
        ) from exc
