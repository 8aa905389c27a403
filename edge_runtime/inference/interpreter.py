"""The engine on LiteRT's Interpreter: `xnnpack`, `cpu` and external delegates."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType, load_delegate

from edge_runtime.errors import DelegateError, ModelError
from edge_runtime.inference import reasons
from edge_runtime.inference.placement import (
    CPU_DELEGATES,
    DELEGATE_CHOICES,
    WEIGHTED_OPERATIONS,
    Placement,
    operations_of,
    scoring,
)
from edge_runtime.inference.signature import read_signature
from edge_runtime.support import native_log

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BYTES = {np.dtype(np.int8), np.dtype(np.uint8)}


class InterpreterEngine:
    """An engine on LiteRT's Interpreter, see `edge_runtime.inference.engine.Engine`."""

    def __init__(self, path: Path, delegate: str, threads: int = 1, batch: int = 1) -> None:
        """Load a graph.

        Args:
            path: the .tflite file.
            delegate: `xnnpack`, `cpu`, or the path of an external delegate's library.
            threads: CPU threads for one image.
            batch: number of images in each run.

        Raises:
            ModelError: the file is not a LiteRT model, its graph is not an image classifier's, or
                it does not take batches of this size.
            DelegateError: the delegate cannot be loaded, or it does not take the graph.
        """
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
        """Return the raw output, see `edge_runtime.inference.engine.Engine`."""
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


def integer_kernels(path: Path) -> Iterator[NDArray[np.int16]]:
    """Yield the integer kernels of convolutions and dense layers whose inputs are integers.

    Yields:
        The stored values less their zero point, int16 (output channels, ..., input channels).
        Depthwise kernels are left out, because each of their outputs reads one input channel.
    """
    interpreter = InterpreterEngine(path, "cpu")._interpreter
    tensors = {t["index"]: t for t in interpreter.get_tensor_details()}
    for operation in interpreter._get_ops_details():
        if operation["op_name"] in WEIGHTED_OPERATIONS - {"DEPTHWISE_CONV_2D"}:
            image, kernel = (tensors[int(index)] for index in operation["inputs"][:2])
            if {np.dtype(t["dtype"]) for t in (image, kernel)} <= _BYTES:
                zero_points = kernel["quantization_parameters"]["zero_points"]
                zero_point = int(zero_points[0]) if len(zero_points) else 0
                yield interpreter.get_tensor(kernel["index"]).astype(np.int16) - zero_point


def _load_external(library: str) -> Any:
    if Path(library).exists():  # the system would look a bare name up elsewhere
        library = str(Path(library).absolute())
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
