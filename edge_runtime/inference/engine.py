"""Running a .tflite graph: the only file that imports ai_edge_litert.

An engine runs one image at a time, or on the CPU as many as were asked for. `xnnpack`, `cpu` and
external delegates run in LiteRT's Interpreter, which starts fastest and is what external delegates
need; `gpu` and `npu` in its CompiledModel. Asking for a delegate gives that delegate or an error,
never another one.
"""

from __future__ import annotations

import ctypes
import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import ai_edge_litert
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType, load_delegate

from edge_runtime.errors import DelegateError, ModelError
from edge_runtime.inference.placement import HEAVY, Placement, ends_in_scores, operations_of
from edge_runtime.inference.quantization import Quantization
from edge_runtime.support import native_log

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Tensor(NamedTuple):
    """Shape, type and quantization of a graph's input or output."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantization: Quantization


class Engine(Protocol):
    """An image classifier's graph, ready to run.

    Attributes:
        input: the images, (batch, height, width, channels).
        output: of one image the scores, one or more dimensions of 1 and then the classes.
        gives_logits: whether the scores still need a softmax.
        integer: whether integers are multiplied, at whose rounding no two engines agree.
        placement: what runs the graph.
    """

    input: Tensor
    output: Tensor
    gives_logits: bool
    integer: bool
    placement: Placement

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the raw output, (classes,), of several images one after the other.

        Args:
            image: of the input's shape and type.

        Raises:
            ModelError: an operation of the graph failed.
        """


def open_engine(
    path: Path,
    *,
    delegate: str = "xnnpack",
    threads: int = 1,
    gpu_precision: str = "fp32",
    batch: int = 1,
) -> Engine:
    """Load a graph on one delegate.

    Args:
        delegate: as in `Placement`.
        gpu_precision: what the GPU computes in, `fp32` or `fp16`.
        batch: how many images each run takes.

    Raises:
        ModelError: the file is no LiteRT model, its graph is not an image classifier's, or it does
            not take so many images.
        DelegateError: there is no such delegate here, or it does not take the graph.
    """
    if delegate in ("gpu", "npu"):
        if batch > 1:
            raise DelegateError(f"The {delegate} takes one image at a time; use a batch of 1.")
        return _Compiled(path, delegate, gpu_precision)
    return _Interpreted(path, delegate, threads, batch)


class _Interpreted:
    """On `xnnpack`, `cpu` or an external delegate."""

    def __init__(self, path: Path, delegate: str, threads: int, batch: int = 1) -> None:
        external = delegate not in ("xnnpack", "cpu")
        # LiteRT's BUILTIN applies XNNPACK too, in spite of its name.
        resolver = (
            OpResolverType.AUTO
            if delegate == "xnnpack"
            else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        loaded = [_external(delegate)] if external else None
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
                    f"The delegate {delegate} cannot run {path} ({_first_line(exc)}); "
                    f"compile the model for it, or use --delegate xnnpack."
                ) from exc
            raise ModelError(
                f"{path} is not a valid .tflite model; copy or export it again."
            ) from exc
        self._interpreter = interpreter
        self._input_index, self._output_index, self.input, self.output = _signature(
            interpreter, path
        )
        if batch > 1:
            self.input = self.input._replace(shape=(batch, *self.input.shape[1:]))
            _resize(interpreter, self._input_index, self.input.shape, path)
        operations, delegated = operations_of(interpreter._get_ops_details())
        outside = tuple(op["op_name"] for i, op in enumerate(operations) if i not in delegated)
        self.gives_logits = not ends_in_scores(operations, self._output_index)
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
        left = HEAVY.intersection(outside)
        if delegate == "xnnpack" and left:
            raise DelegateError(
                f"XNNPACK does not take {', '.join(sorted(left))} of {path}; use --delegate cpu."
            )
        if external and not delegated:
            raise DelegateError(
                f"The delegate {delegate} takes no operation of {path}; use --delegate cpu."
            )

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        try:
            self._interpreter.set_tensor(self._input_index, image)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as exc:
            raise ModelError(f"The model could not be run ({exc}); export it again.") from exc
        result: NDArray[Any] = self._interpreter.get_tensor(self._output_index)
        return result.reshape(-1)


class _Compiled:
    """On `gpu`, which is WebGPU, or `npu`, a vendor's library."""

    def __init__(self, path: Path, delegate: str, gpu_precision: str) -> None:
        from ai_edge_litert.compiled_model import CompiledModel

        plain = _Interpreted(path, "cpu", 1)
        self.input, self.output = plain.input, plain.output
        self.gives_logits, self.integer = plain.gives_logits, plain.integer
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
                # Only the first run sets all up, and it logs too.
                self.run(np.zeros(self.input.shape, self.input.dtype))
            except (ValueError, RuntimeError, ModelError) as exc:
                raise DelegateError(_why_not(delegate, path, log(), exc)) from exc
        if not complete:
            raise DelegateError(
                f"The {delegate} does not take every operation of {path} "
                f"({_log_reason(log()) or 'it does not say which'}); use --delegate xnnpack."
            )
        operations = plain.placement.operations
        self.placement = Placement(delegate, 1, operations, operations, ())

    def run(self, image: NDArray[Any]) -> NDArray[Any]:
        classes = int(np.prod(self.output.shape))
        try:
            self._inputs[0].write(image)
            self._model.run_by_index(0, self._inputs, self._outputs)
            result: NDArray[Any] = self._outputs[0].read(classes, self.output.dtype.type)
        except (ValueError, RuntimeError) as exc:
            raise ModelError(
                f"The model could not be run ({_first_line(exc)}); use --delegate xnnpack."
            ) from exc
        return result.reshape(-1)

    def __del__(self) -> None:
        with native_log.dropped():  # LiteRT logs what it takes down
            self._inputs = self._outputs = []
            self._model = None


@cache
def _environment() -> Any:
    """Return LiteRT's environment, one for the whole process."""
    from ai_edge_litert.environment import Environment, EnvironmentOptions

    home = os.path.dirname(os.path.abspath(ai_edge_litert.__file__))  # noqa: PTH100, PTH120
    environment = Environment.create(options=EnvironmentOptions(runtime_path=home))
    # Never taken down: LiteRT would log that on standard error when Python ends.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(environment.capsule))
    return environment


def _options(delegate: str, gpu_precision: str) -> Any:
    from ai_edge_litert.compiled_model import GpuOptions, HardwareAccelerator, Options

    return Options(
        hardware_accelerators=HardwareAccelerator[delegate.upper()],
        gpu_options=GpuOptions(enforce_f32=gpu_precision == "fp32"),
    )


def _external(library: str) -> Any:
    try:
        # Looked at first: LiteRT's own class cannot even be deleted when this fails.
        if not hasattr(ctypes.CDLL(library), "tflite_plugin_create_delegate"):
            raise ValueError("it is no LiteRT delegate")
        with native_log.dropped():
            return load_delegate(library)
    except (OSError, ValueError, RuntimeError) as exc:
        reason = " ".join(str(exc).split()) or "it gives no reason"
        raise DelegateError(
            f"The delegate {library} cannot be loaded ({reason}); expected xnnpack, cpu, gpu, npu, "
            f"auto or the path of a LiteRT delegate library."
        ) from exc


def _signature(interpreter: Interpreter, path: Path) -> tuple[int, int, Tensor, Tensor]:
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    if not (len(inputs) == len(outputs) == 1 and _classifies(inputs[0], outputs[0])):
        raise ModelError(
            f"{path} is not an image classifier: expected one input [1, height, width, 3 or 1] "
            f"and one output [1, classes], float32, uint8, int8 or int16, "
            f"but got {_shapes(inputs)} and {_shapes(outputs)}."
        )
    image, scores = _tensor(inputs[0]), _tensor(outputs[0])
    for tensor in (image, scores):
        if np.issubdtype(tensor.dtype, np.integer) and not tensor.quantization.scale > 0:
            raise ModelError(
                f"{path} has a {tensor.dtype} input or output without a quantization scale; "
                f"quantize the model again."
            )
    return inputs[0]["index"], outputs[0]["index"], image, scores


def _resize(interpreter: Interpreter, index: int, shape: tuple[int, ...], path: Path) -> None:
    """Let an interpreter take a batch; many graphs have 1 built in."""
    try:
        with native_log.dropped():
            interpreter.resize_tensor_input(index, shape)
            interpreter.allocate_tensors()
        fits = interpreter.get_output_details()[0]["shape"][0] == shape[0]
    except (ValueError, RuntimeError):
        fits = False
    if not fits:
        raise ModelError(f"{path} does not take {shape[0]} images at once; use a batch of 1.")


def _classifies(input_: dict[str, Any], output: dict[str, Any]) -> bool:
    image, scores = tuple(input_["shape"]), tuple(output["shape"])
    dtypes = {np.dtype(input_["dtype"]), np.dtype(output["dtype"])}
    return (
        len(image) == 4
        and image[0] == 1
        and image[3] in (1, 3)
        and len(scores) >= 1
        and min(*image, *scores) > 0
        and all(n == 1 for n in scores[:-1])
        and (len(scores) == 2 or scores[-1] > 1)
        and -1 not in tuple(input_["shape_signature"])[1:]
        and dtypes <= {np.dtype(t) for t in (np.float32, np.uint8, np.int8, np.int16)}
    )


def _shapes(details: list[dict[str, Any]]) -> str:
    shapes = [f"{np.dtype(d['dtype'])} {[int(n) for n in d['shape_signature']]}" for d in details]
    return ", ".join(shapes) or "none"


def _tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    return Tensor(
        shape=tuple(int(n) for n in details["shape"]),
        dtype=np.dtype(details["dtype"]),
        quantization=Quantization(float(scale), int(zero_point)),
    )


def _why_not(delegate: str, path: Path, log: str, exc: Exception) -> str:
    if delegate == "npu":
        library = re.search(r"Could not load shared library .*: (\S+): cannot open", log)
        reason = f"{library[1]} is missing" if library else "no vendor's library"
        return f"No NPU is available here ({reason}); use --delegate auto or xnnpack."
    if "No adapters found" in log:
        return "No GPU is available here (no Vulkan driver); install one, or use --delegate auto."
    reason = _log_reason(log) or _first_line(exc)
    return f"The {delegate} cannot run {path} ({reason}); use --delegate auto or xnnpack."


def _log_reason(log: str) -> str:
    """Return what the native log complains of last, without its time stamp and source line."""
    lines = [
        line.split("] ", 1)[-1].strip()
        for line in log.splitlines()
        if line.startswith(("E0", "E1", "ERROR: [delegate"))
    ]
    return lines[-1] if lines else ""


def _first_line(exc: Exception) -> str:
    lines = [line.strip("└ ") for line in str(exc).splitlines() if not line.startswith("ERROR: [")]
    return lines[0] if lines else " ".join(str(exc).split())
