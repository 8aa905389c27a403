"""Opens the graph of a .tflite file on a delegate.

There is no silent fallback: if a delegate cannot be used, opening it raises an error that says why.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge_runtime.errors import DelegateError
from edge_runtime.inference.interpreter import InterpreterEngine, integer_kernels
from edge_runtime.inference.placement import ACCELERATORS, OPENVINO

if TYPE_CHECKING:
    from edge_runtime.inference.engine import Engine


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
        from edge_runtime.inference.compiled_model import CompiledModelEngine

        on_cpu = on_cpu or InterpreterEngine(path, "cpu")
        return CompiledModelEngine(path, delegate, gpu_precision, on_cpu)
    if delegate == OPENVINO:
        from edge_runtime.inference.openvino import OpenVinoEngine

        on_cpu = on_cpu or InterpreterEngine(path, "cpu")
        kernels = partial(integer_kernels, path)
        return OpenVinoEngine(path, on_cpu, kernels, threads=threads, batch=batch)
    return InterpreterEngine(path, delegate, threads, batch)
