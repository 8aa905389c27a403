"""The command `python -m benchmarks.layers`: where the time of a model goes, layer by layer.

LiteRT's wheel has no profiler. So the graph is cut after each of its operations, and the cuts are
timed in turn: the time of an operation is that of the cut after it minus that of the cut before it.
The first operation includes the cost of a call.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from benchmarks import peak
from benchmarks.macs import multiply_adds_of, read_model
from benchmarks.turns import STRETCHES, Call, Group, take_turns
from edge_runtime.errors import ModelError
from edge_runtime.inference import shipped
from edge_runtime.support import native_log
from edge_runtime.support.console import INTERRUPTED
from edge_runtime.support.options import finite, run_command
from edge_runtime.tflite.graph import operator_name, packed


@dataclass(frozen=True)
class Layer:
    """An operation of a graph.

    Attributes:
        kind: its name in LiteRT's schema.
        output: shape of what it makes.
        precision: type of its weights; empty without weights.
        macs: its multiply-adds.
    """

    kind: str
    output: tuple[int, ...]
    precision: str
    macs: int


def layers_of(path: Path) -> list[Layer]:
    """Return the operations of a .tflite file.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not a .tflite model.
    """
    model = read_model(path)
    tensors = model.subgraphs[0].tensors
    found = []
    for operator in model.subgraphs[0].operators:
        macs = multiply_adds_of(model, operator)
        weights = tensors[operator.inputs[1]].type if macs else None
        found.append(
            Layer(
                operator_name(model.operatorCodes[operator.opcodeIndex]),
                tuple(int(n) for n in tensors[operator.outputs[0]].shape),
                {None: "", schema.TensorType.INT8: "int8"}.get(weights, "float32"),
                macs,
            )
        )
    return found


def cut(path: Path, operations: int) -> bytes:
    """Return a .tflite file with the first operations of another one.

    Its outputs are the tensors that none of these operations takes.

    Args:
        path: the whole file.
        operations: how many operations to keep.
    """
    model = read_model(path)
    graph = model.subgraphs[0]
    graph.operators = graph.operators[:operations]
    taken = {int(i) for operator in graph.operators for i in operator.inputs}
    made = [int(i) for operator in graph.operators for i in operator.outputs]
    graph.outputs = [i for i in made if i not in taken]
    kept = {0} | {int(graph.tensors[i].buffer) for i in taken if i >= 0}
    for number, buffer in enumerate(model.buffers):
        if number not in kept:
            buffer.data = None
    model.signatureDefs, model.metadata, model.metadataBuffer = None, None, None
    return packed(model)


def call_of(path: Path) -> Call:
    """Load a .tflite file on XNNPACK with one thread, and return the call that runs it."""
    with native_log.dropped():
        interpreter: Any = Interpreter(model_path=str(path), num_threads=1)
        interpreter.allocate_tensors()
    [image] = interpreter.get_input_details()
    values = np.random.default_rng(0).integers(0, 128, image["shape"])
    interpreter.set_tensor(image["index"], values.astype(image["dtype"]))
    return interpreter.invoke


def differences(
    times: Sequence[NDArray[np.int64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the time that each cut takes more than the one before it, in microseconds.

    Args:
        times: of each cut, int64 (calls,), nanoseconds, from `take_turns`.

    Returns:
        Medians over the turns, and the second least and second largest of each, which hold the
        median of ten turns with 98 % confidence; float64 (cuts,) each.
    """
    turns = np.array([np.median(ns.reshape(STRETCHES, -1), axis=1) for ns in times]) / 1000
    found = np.sort(np.diff(turns, axis=0, prepend=0), axis=1)
    return np.median(found, axis=1), found[:, 1], found[:, -2]


def table(
    layers: Sequence[Layer], times: Sequence[NDArray[np.int64]], peaks: Mapping[str, Any]
) -> str:
    """Return the times of the layers as a table in Markdown.

    Args:
        layers: the operations.
        times: of the cut after each operation, int64 (calls,), nanoseconds.
        peaks: from `benchmarks.peak.reached`.
    """
    lines = [
        "| layer | output | multiply-adds | µs | µs at the peak | of the peak |",
        "|---|---|---|---|---|---|",
    ]
    total_at_peak = 0.0
    for number, (layer, us, low, high) in enumerate(zip(layers, *differences(times), strict=True)):
        at_peak = _at_peak_us(layer, peaks)
        total_at_peak += at_peak or 0.0
        lines.append(
            f"| {number} {layer.kind} | {' x '.join(map(str, layer.output))} "
            f"| {f'{layer.macs:,}' if layer.macs else ''} | {us:,.1f} ({low:,.1f} to {high:,.1f}) |"
            f"{_shares(at_peak, us if low > 0 else None)}"
        )
    whole = float(np.median(times[-1])) / 1000
    macs = sum(layer.macs for layer in layers)
    lines.append(f"| all | | {macs:,} | {whole:,.1f} |{_shares(total_at_peak or None, whole)}")
    return "\n".join(lines)


def _at_peak_us(layer: Layer, peaks: Mapping[str, Any]) -> float | None:
    if layer.precision not in peaks:
        return None
    return layer.macs / float(peaks[layer.precision]["macs_per_s"]) * 1e6


def _shares(at_peak: float | None, us: float | None) -> str:
    """Return the last two cells; the time of a layer that is too short to measure is None."""
    if not at_peak:
        return " | |"
    return f" {at_peak:,.1f} | {at_peak / us:.0%} |" if us else f" {at_peak:,.1f} | |"


def main(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="Name of a shipped model, or a .tflite file.")
    ],
    seconds: Annotated[
        float,
        typer.Option(min=0, callback=finite, help="Measure for about this many seconds."),
    ] = 60.0,
) -> None:
    """Print how long each layer of a model takes on XNNPACK with one thread."""
    try:
        path = shipped.find(model)
        layers = layers_of(path)
    except (ModelError, ValueError) as exc:
        typer.echo(str(exc), err=True)
        raise typer.Exit(2) from None
    except OSError as exc:
        typer.echo(f"{path} cannot be read ({exc.strerror}).", err=True)
        raise typer.Exit(2) from None
    try:
        loops = peak.loops()
    except peak.UnknownPeakError as exc:
        typer.echo(f"the share of the peak is missing: {exc}", err=True)
        loops = []
    with tempfile.TemporaryDirectory() as folder:
        groups: list[Group] = []
        for number in range(len(layers)):
            part = Path(folder) / f"{number}.tflite"
            part.write_bytes(cut(path, number + 1))
            groups.append({"cut": partial(call_of, part)})
        of_peak: Group = {loop.name: loop.open for loop in loops}
        series, complete = take_turns([*groups, *([of_peak] if of_peak else [])], seconds)
    failed = next((one.error for one in series if one.error), "")
    if failed or not complete:
        typer.echo(failed or "interrupted before everything was measured", err=True)
        raise typer.Exit(1 if failed else INTERRUPTED)
    peaks = peak.reached(loops, series[-1].times) if loops else {}
    cuts = series[: len(layers)]
    typer.echo(table(layers, [one.times["cut"] for one in cuts], peaks))


if __name__ == "__main__":
    run_command(main)
