"""The command `python -m export.micro`: a .tflite file as C for TensorFlow Lite Micro.

The files hold the graph alone: labels and quantization become C, and the archive behind the graph
stays out. The working memory that the graph needs is measured by running it, and its answers are
held against the runtime's.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from edge_runtime import Classifier
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.engine import open_engine
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.preprocessing import Preprocessing
from edge_runtime.support import native_log
from edge_runtime.support.files import replacing
from export import c_source, calibration
from export.c_source import ALIGNMENT_BYTES

IMAGES = 200
_LARGEST_ARENA_BYTES = 1 << 30  # far beyond any microcontroller


@dataclass(frozen=True)
class Difference:
    """How answers on a microcontroller differ from the runtime's on one delegate.

    Attributes:
        delegate: of the runtime, "cpu" or "xnnpack".
        images: how many.
        agreement: share of images with the same top-1 class.
        equal: share of images with the very same output.
        max_difference: largest difference of any score.
    """

    delegate: str
    images: int
    agreement: float
    equal: float
    max_difference: float

    def __str__(self) -> str:
        return (
            f"against --delegate {self.delegate}, {self.images} held-out images: agreement "
            f"{self.agreement:.2%}, equal {self.equal:.2%}, largest score difference "
            f"{self.max_difference:.2g}"
        )


@dataclass(frozen=True)
class Micro:
    """The written files, and what was measured."""

    source: Path
    header: Path
    model_bytes: int
    arena_bytes: int
    differences: tuple[Difference, ...]


def export_micro(model: str | Path, out: Path) -> Micro:
    """Write `<name>.c` and `<name>.h`, where the name is the model's as an identifier of C.

    Args:
        model: a .tflite file, or the name of a shipped model.
        out: a folder; it is made where it is missing.

    Raises:
        EdgeRuntimeError: the model is missing, damaged, no image classifier, or has operations
            that TensorFlow Lite Micro has not.
        CalibrationError: the committed images are damaged.
        OSError: the files cannot be written.
    """
    with Classifier(model, delegate="cpu") as classifier:
        path, labels = classifier.path, classifier.labels
    graph = graph_alone(path.read_bytes())
    interpret = _interpreter(graph, path)
    arena_bytes = measure_arena(graph)
    engine = open_engine(path, delegate="cpu")
    name = "".join(c if c.isascii() and c.isalnum() else "_" for c in path.stem)
    name = name if name[:1].isalpha() else f"model_{name}"
    metadata = read_metadata(path)
    preprocessing = Preprocessing(engine.input, metadata, mean=None, std=None, how=None)
    images = calibration.some(calibration.read().held_out.images, IMAGES)
    inputs = [preprocessing(image) for image in images]
    answers = np.stack([interpret(image) for image in inputs])
    differences = tuple(
        _compare(delegate, path, inputs, answers) for delegate in ("cpu", "xnnpack")
    )

    text = {
        ".h": c_source.header(name, path, graph, engine, metadata, arena_bytes),
        ".c": c_source.source(name, graph, f"{name}.h", labels),
    }
    for suffix, content in text.items():
        with replacing(out / f"{name}{suffix}") as temporary:
            temporary.write_text(content, encoding="ascii")
    return Micro(out / f"{name}.c", out / f"{name}.h", len(graph), arena_bytes, differences)


def graph_alone(data: bytes) -> bytes:
    """Return a .tflite file without the zip archive behind its graph."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            starts = [entry.header_offset for entry in archive.infolist()]
    except zipfile.BadZipFile:  # there is none
        return data
    return data[: min(starts, default=len(data))]


def measure_arena(graph: bytes) -> int:
    """Return the size of the smallest arena that the graph runs in, in bytes.

    TensorFlow Lite Micro's recording allocator says it nearly, trials in steps of
    `ALIGNMENT_BYTES` exactly. Pointers take twice the space here that they take on a 32-bit
    microcontroller, which therefore needs a little less.
    """
    from tflite_micro import runtime

    with native_log.dropped():
        interpreter = runtime.Interpreter.from_bytes(graph)
    with tempfile.TemporaryFile() as log:
        saved = os.dup(2)
        os.dup2(log.fileno(), 2)  # where the C++ code prints it
        try:
            interpreter.print_allocations()
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        log.seek(0)
        [total] = re.findall(rb"Arena allocation total (\d+) bytes", log.read())
    # Loading takes memory for a while that is not counted, which tiny graphs do not make up for.
    enough = -(-int(total) // ALIGNMENT_BYTES)
    too_small = enough - 1
    while not _runs(graph, enough * ALIGNMENT_BYTES):
        if enough * ALIGNMENT_BYTES > _LARGEST_ARENA_BYTES:
            raise EdgeRuntimeError(
                "It runs on TensorFlow Lite Micro in no arena of up to "
                f"{_LARGEST_ARENA_BYTES >> 20} MiB; export it with --quantize int8."
            )
        too_small, enough = enough, 2 * enough
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        if _runs(graph, middle * ALIGNMENT_BYTES):
            enough = middle
        else:
            too_small = middle
    return enough * ALIGNMENT_BYTES


_TRIAL = """
import sys
import numpy as np
from tflite_micro import runtime
interpreter = runtime.Interpreter.from_bytes(sys.stdin.buffer.read(), arena_size=int(sys.argv[1]))
image = interpreter.get_input_details(0)
interpreter.set_input(np.zeros(image["shape"], image["dtype"]), 0)
interpreter.invoke()
"""


def _runs(graph: bytes, arena_bytes: int) -> bool:
    """Try it in a process of its own, which too small an arena may crash."""
    command = [sys.executable, "-c", _TRIAL, str(arena_bytes)]
    return subprocess.run(command, input=graph, capture_output=True).returncode == 0


def _interpreter(graph: bytes, path: Path) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """Return what TensorFlow Lite Micro makes of an input tensor: its raw output, (classes,)."""
    from tflite_micro import runtime

    try:
        with native_log.dropped():
            interpreter = runtime.Interpreter.from_bytes(graph)
            image = interpreter.get_input_details(0)
            interpreter.set_input(np.zeros(image["shape"], image["dtype"]), 0)
            interpreter.invoke()
    except RuntimeError as exc:
        raise EdgeRuntimeError(
            f"{path} does not run on TensorFlow Lite Micro ({exc}); export it with --quantize int8."
        ) from exc

    def interpret(image: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_input(image, 0)
        interpreter.invoke()
        raw: NDArray[Any] = interpreter.get_output(0)
        return raw.reshape(-1).copy()

    return interpret


def _compare(
    delegate: str, path: Path, inputs: Sequence[NDArray[Any]], answers: NDArray[Any]
) -> Difference:
    engine = open_engine(path, delegate=delegate)
    ours = np.stack([engine.run(image).reshape(-1) for image in inputs])
    difference = np.abs(ours.astype(np.float64) - answers)
    return Difference(
        delegate=delegate,
        images=len(inputs),
        agreement=float(np.mean(ours.argmax(axis=1) == answers.argmax(axis=1))),
        equal=float(np.mean((difference == 0).all(axis=1))),
        max_difference=float(difference.max()) * (engine.output.quantization.scale or 1.0),
    )


def main(
    model: Annotated[str, typer.Argument(help="A .tflite file, or the name of a shipped model.")],
    out: Annotated[Path, typer.Option(help="Folder for the C source and header.")],
) -> None:
    """Write a model as C for TensorFlow Lite Micro, and check it there."""
    if find_spec("tflite_micro") is None:
        sys.exit("tflite_micro not found; install with: pip install -e '.[micro]'")
    try:
        result = export_micro(model, out)
    except (EdgeRuntimeError, calibration.CalibrationError, OSError) as exc:
        typer.echo(f"export: {exc}", err=True)
        raise typer.Exit(1) from exc
    typer.echo(
        f"{result.source} and {result.header.name}: model {result.model_bytes:,} bytes, "
        f"arena {result.arena_bytes:,} bytes"
    )
    for difference in result.differences:
        typer.echo(str(difference))


if __name__ == "__main__":
    typer.run(main)
