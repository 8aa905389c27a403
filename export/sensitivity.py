"""Which layers lose accuracy when a network is quantized to int8, and keeping those in float.

TensorFlow's QuantizationDebugger calibrates once, quantizes with any set of operations left out,
and compares each quantized operation with its float self on the same inputs.
"""

from __future__ import annotations

import csv
import re
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edge_runtime.support import native_log
from edge_runtime.support.files import replacing
from edge_runtime.support.metrics import top1
from edge_runtime.support.timing import measure, summarize
from export.calibration import some
from export.convert import free_batch, to_float32
from export.quantize import representative_dataset, with_full_range
from export.source import Source

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_SQNR_IMAGES = 100


@dataclass(frozen=True)
class LayerError:
    """What quantizing one layer costs.

    Attributes:
        layer: its name in the Keras network.
        sqnr_db: signal to quantization noise of its output, on exact inputs; the mean of its
            channels, since one large channel would hide the others.
        regained: accuracy won back when this layer and those that read its output stay in float
            and all others are quantized, a fraction.
    """

    layer: str
    sqnr_db: float
    regained: float


@dataclass(frozen=True)
class Kept:
    """A graph with some layers in float, and what they cost against plain int8.

    Attributes:
        layers: kept in float, by their names in the Keras network; none if plain int8 will do.
    """

    graph: bytes
    layers: tuple[str, ...]


def explain(source: Source) -> list[LayerError]:
    """Rank the layers of a network by their own quantization error, the worst first."""
    with _quantizer(source) as quantizer:
        everything_int8 = quantizer.top1(())
        sqnr = quantizer.sqnr_db()
        return sorted(
            (
                LayerError(node.layer, sqnr[node.output], regained)
                for node in quantizer.nodes
                if node.weighted
                for regained in [
                    quantizer.top1(quantizer.with_readers(node.index)) - everything_int8
                ]
            ),
            key=lambda error: error.sqnr_db,
        )


def keep_fewest_in_float(source: Source, max_drop: float, *, say: Callable[[str], None]) -> Kept:
    """Quantize a network but for the layers that would cost it more than `max_drop`.

    By their own error, the worst first, layers are put back in float together with those that
    read their output, until the drop is within the bound; none, if plain int8 holds it. Then each
    of them is returned to int8 where the bound still holds. So none of the kept ones can be left
    out, though a smaller set of others may exist.

    Args:
        max_drop: of top-1 accuracy on the held-out images, a fraction.
        say: takes a line about the price.
    """
    with _quantizer(source) as quantizer:
        wanted = top1(source.scores, source.held_out.labels) - max_drop - 1e-9  # rounding

        def good(kept: Iterable[int]) -> bool:
            return quantizer.top1(kept) >= wanted

        sqnr = quantizer.sqnr_db()
        by_error = sorted(
            (node for node in quantizer.nodes if node.weighted), key=lambda n: sqnr[n.output]
        )
        kept: set[int] = set()
        for node in by_error:
            if good(kept):
                break
            kept |= quantizer.with_readers(node.index)
        for node in [*(n for n in quantizer.nodes if not n.weighted), *reversed(by_error)]:
            if node.index in kept and good(kept - {node.index}):
                kept.remove(node.index)
        graph, plain = quantizer.graph(kept), quantizer.graph(())
        layers = tuple(n.layer for n in quantizer.nodes if n.index in kept and n.weighted)
    if layers:  # said here, where standard error is heard again
        mixed_us, plain_us = _price_us(graph, plain)
        say(
            f"kept in float: {', '.join(layers)}; price: {len(graph) - len(plain):+,} bytes, "
            f"{mixed_us - plain_us:+.0f} us an image ({plain_us:.0f} to {mixed_us:.0f}, one thread)"
        )
    return Kept(graph, layers)


def write(errors: list[LayerError], stem: Path, title: str) -> tuple[Path, Path]:
    """Write a ranking as a table (.csv) and a plot (.png), and return their paths.

    Raises:
        OSError: they cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    table, plot = stem.with_suffix(".csv"), stem.with_suffix(".png")
    with replacing(table) as temporary, temporary.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(field.name for field in fields(LayerError))
        rows.writerows(astuple(error) for error in errors)
    names = [error.layer for error in errors]
    figure, (left, right) = plt.subplots(
        1, 2, sharey=True, figsize=(9, 1.2 + 0.3 * len(names)), layout="constrained"
    )
    left.barh(names, [error.sqnr_db for error in errors])
    left.set_xlabel("signal to quantization noise, dB")
    left.invert_yaxis()
    right.barh(names, [100 * error.regained for error in errors])
    right.set_xlabel("top-1 regained in float, points")
    figure.suptitle(title)
    with replacing(plot) as temporary:
        figure.savefig(temporary)
    plt.close(figure)
    return table, plot


@dataclass(frozen=True)
class _Node:
    """An operation of the float graph, by which tensors it reads and writes."""

    index: int
    output: str
    layer: str
    weighted: bool
    readers: tuple[int, ...]


class _Quantizer:
    """A calibrated network that can be quantized with any operations left in float."""

    def __init__(self, debugger: Any, source: Source) -> None:
        self._debugger, self._source = debugger, source
        self.nodes = _nodes(debugger.calibrated_model, source.model)
        self._top1: dict[frozenset[int], float] = {}

    def graph(self, kept: Iterable[int]) -> bytes:
        """Return the quantized graph with float32 input and output."""
        names = [self.nodes[index].output for index in kept]
        if len(names) == len(self.nodes):  # the debugger has no graph then
            return to_float32(self._source.model)
        self._debugger.options = tf.lite.experimental.QuantizationDebugOptions(
            denylisted_nodes=names
        )
        return free_batch(bytes(self._debugger.get_nondebug_quantized_model()))

    def top1(self, kept: Iterable[int]) -> float:
        """Return its accuracy on the held-out images, a fraction."""
        key = frozenset(kept)
        if key not in self._top1:
            interpreter = Interpreter(model_content=self.graph(key), num_threads=2)
            held_out = self._source.held_out
            correct = 0
            for start in range(0, len(held_out), 250):
                images = held_out.images[start : start + 250].astype(np.float32) / 255
                interpreter.resize_tensor_input(0, images.shape)
                interpreter.allocate_tensors()
                interpreter.set_tensor(0, images)
                interpreter.invoke()
                scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
                correct += int(np.sum(scores.argmax(1) == held_out.labels[start : start + 250]))
            self._top1[key] = correct / len(held_out)
        return self._top1[key]

    def sqnr_db(self) -> dict[str, float]:
        """Return the signal to noise ratio of each operation's output by the output's name."""
        self._debugger.options = tf.lite.experimental.QuantizationDebugOptions(
            layer_direct_compare_metrics={"sqnr_db": _sqnr_db}
        )
        self._debugger.run()
        statistics_ = self._debugger.layer_statistics
        found = {}
        for node in self.nodes:
            # The debugger's names are "NumericVerify/", the tensor's, one digit, ":" and a number.
            [name] = [
                n
                for n in statistics_
                if re.fullmatch(re.escape(f"NumericVerify/{node.output}") + r"\d:\d+", n)
            ] or [None]
            if name is not None:
                found[node.output] = float(statistics_[name]["sqnr_db"])
        return found

    def with_readers(self, index: int) -> set[int]:
        """Return an operation and those that read what it gives, up to the next with weights."""
        found, open_ = {index}, list(self.nodes[index].readers)
        while open_:
            reader = self.nodes[open_.pop()]
            found.add(reader.index)
            if not reader.weighted:
                open_ += reader.readers
        return found


@contextmanager
def _quantizer(source: Source) -> Iterator[_Quantizer]:
    signature = [tf.TensorSpec([1, *source.model.input_shape[1:]], tf.float32, name="image")]
    with (
        tempfile.TemporaryDirectory() as folder,
        native_log.dropped(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)  # it uses tf.lite.Interpreter itself
        source.model.export(
            folder, format="tf_saved_model", input_signature=signature, verbose=False
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        images = with_full_range(source.calibration.images)
        converter.representative_dataset = representative_dataset(images)
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_dataset=representative_dataset(some(source.calibration.images, _SQNR_IMAGES)),
        )
        yield _Quantizer(debugger, source)


def _nodes(graph: bytes, model: keras.Model) -> list[_Node]:
    parsed = schema.ModelT.InitFromPackedBuf(graph)
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    subgraph = parsed.subgraphs[0]
    nodes = []
    for index, operator in enumerate(subgraph.operators):
        output = subgraph.tensors[operator.outputs[0]].name.decode()
        nodes.append(
            _Node(
                index=index,
                output=output,
                layer=_layer_name(output, model),
                weighted=names[parsed.operatorCodes[operator.opcodeIndex].builtinCode] in _WEIGHTED,
                readers=tuple(
                    i
                    for i, other in enumerate(subgraph.operators)
                    if operator.outputs[0] in other.inputs
                ),
            )
        )
    return nodes


def _layer_name(tensor: str, model: keras.Model) -> str:
    """Return the Keras layer that a tensor comes from: the one with weights, of those it names."""
    for kind in ((keras.layers.Conv2D, keras.layers.Dense), keras.layers.Layer):
        for layer in model.layers:
            if isinstance(layer, kind) and re.search(rf"/{layer.name}(_\d+)?/", tensor):
                return str(layer.name)
    return tensor


def _sqnr_db(
    real: NDArray[np.float32], quantized: NDArray[np.int8], scale: float, zero_point: int
) -> float:
    """Return 10 log10(signal power / noise power) of a tensor, the mean of its channels."""
    noise = scale * (quantized.astype(np.float64) - zero_point) - real
    axes = tuple(range(real.ndim - 1))
    signal_power = np.square(real.astype(np.float64)).sum(axes)
    noise_power = np.square(noise).sum(axes)
    used = (signal_power > 0) & (noise_power > 0)
    if not used.any():
        return float("nan")
    return float(np.mean(10 * np.log10(signal_power[used] / noise_power[used])))


def _price_us(graph: bytes, plain: bytes, rounds: int = 300) -> tuple[float, float]:
    """Return the median time of one image through each of two graphs, on one thread."""
    interpreters = [Interpreter(model_content=g, num_threads=1) for g in (graph, plain)]
    for interpreter in interpreters:
        interpreter.allocate_tensors()
    mixed, int8 = interpreters
    times = measure({"mixed": mixed.invoke, "int8": int8.invoke}, rounds=rounds)
    return summarize(times["mixed"]).p50_us, summarize(times["int8"]).p50_us
