"""Quantize a network to int8 with any of its operations left in float.

TensorFlow's QuantizationDebugger calibrates once, then quantizes with any set of operations left
out, and compares each quantized operation with its float self on the same inputs.
"""

from __future__ import annotations

import re
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edge_runtime.inference.placement import WEIGHTED_OPERATIONS
from edge_runtime.support import native_log
from edge_runtime.tflite.graph import operator_name
from export.calibration import evenly_spaced
from export.convert import free_batch, to_float32
from export.inputs import ExportInputs
from export.quantize import representative_dataset, with_full_range

_SQNR_IMAGES = 100
_BATCH = 250


@dataclass(frozen=True)
class Operation:
    """An operation of the float graph.

    Attributes:
        index: its place in the graph.
        output: name of the tensor that it writes.
        layer: name of the Keras layer that it comes from.
        weighted: whether it is a convolution or a dense layer.
        readers: places of the operations that read its output.
    """

    index: int
    output: str
    layer: str
    weighted: bool
    readers: tuple[int, ...]


class PartialQuantizer:
    """A calibrated network that can be quantized with any operations left in float.

    Attributes:
        operations: those of the float graph, in order.
    """

    def __init__(self, debugger: Any, inputs: ExportInputs) -> None:
        self._debugger, self._inputs = debugger, inputs
        self.operations = _operations(debugger.calibrated_model, inputs.model)
        self._top1: dict[frozenset[int], float] = {}

    def graph(self, kept: Iterable[int]) -> bytes:
        """Return the quantized graph, with float32 input and output.

        Args:
            kept: places of the operations to leave in float.
        """
        names = [self.operations[index].output for index in kept]
        if len(names) == len(self.operations):  # then the debugger makes no graph
            return to_float32(self._inputs.model)
        self._debugger.options = tf.lite.experimental.QuantizationDebugOptions(
            denylisted_nodes=names
        )
        return free_batch(bytes(self._debugger.get_nondebug_quantized_model()))

    def top1(self, kept: Iterable[int]) -> float:
        """Return the quantized graph's accuracy on the held-out images, a fraction.

        Args:
            kept: places of the operations to leave in float.
        """
        key = frozenset(kept)
        if key not in self._top1:
            interpreter = Interpreter(model_content=self.graph(key), num_threads=2)
            held_out = self._inputs.held_out
            correct = 0
            for start in range(0, len(held_out), _BATCH):
                images = held_out.images[start : start + _BATCH].astype(np.float32) / 255
                interpreter.resize_tensor_input(0, images.shape)
                interpreter.allocate_tensors()
                interpreter.set_tensor(0, images)
                interpreter.invoke()
                scores = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
                labels = held_out.labels[start : start + _BATCH]
                correct += int(np.sum(scores.argmax(1) == labels))
            self._top1[key] = correct / len(held_out)
        return self._top1[key]

    def sqnr_db(self) -> dict[str, float]:
        """Return the signal-to-noise ratio of each layer with weights in dB, by its name.

        The network must have no outlier head: behind one, TensorFlow's debugger compares the logits
        with what other operations have written into their place.
        """
        self._debugger.options = tf.lite.experimental.QuantizationDebugOptions(
            layer_direct_compare_metrics={"sqnr_db": _sqnr_db}
        )
        self._debugger.run()
        statistics = self._debugger.layer_statistics
        found = {}
        for operation in self.operations:
            if not operation.weighted:
                continue
            # The debugger's name is "NumericVerify/", the tensor's, one digit, ":" and a number.
            pattern = re.escape(f"NumericVerify/{operation.output}") + r"\d:\d+"
            [name] = [n for n in statistics if re.fullmatch(pattern, n)] or [None]
            if name is not None:
                found[operation.layer] = float(statistics[name]["sqnr_db"])
        return found

    def with_readers(self, index: int) -> set[int]:
        """Return an operation and all that read its output, up to the next ones with weights."""
        found, unvisited = {index}, list(self.operations[index].readers)
        while unvisited:
            reader = self.operations[unvisited.pop()]
            found.add(reader.index)
            if not reader.weighted:
                unvisited += reader.readers
        return found


@contextmanager
def partial_quantizer(inputs: ExportInputs) -> Iterator[PartialQuantizer]:
    """Calibrate a network, and give its quantizer for the duration of the block."""
    signature = [tf.TensorSpec([1, *inputs.model.input_shape[1:]], tf.float32, name="image")]
    with (
        tempfile.TemporaryDirectory() as folder,
        native_log.dropped(),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)  # TensorFlow itself uses tf.lite.Interpreter
        inputs.model.export(
            folder, format="tf_saved_model", input_signature=signature, verbose=False
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        images = inputs.calibration.images
        converter.representative_dataset = representative_dataset(with_full_range(images))
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_dataset=representative_dataset(evenly_spaced(images, _SQNR_IMAGES)),
        )
        yield PartialQuantizer(debugger, inputs)


def _operations(graph: bytes, model: keras.Model) -> list[Operation]:
    parsed = schema.ModelT.InitFromPackedBuf(graph)
    subgraph = parsed.subgraphs[0]
    operations = []
    for index, operator in enumerate(subgraph.operators):
        output = subgraph.tensors[operator.outputs[0]].name.decode()
        kind = operator_name(parsed.operatorCodes[operator.opcodeIndex])
        operations.append(
            Operation(
                index=index,
                output=output,
                layer=_layer_name(output, model),
                weighted=kind in WEIGHTED_OPERATIONS,
                readers=tuple(
                    i
                    for i, other in enumerate(subgraph.operators)
                    if operator.outputs[0] in other.inputs
                ),
            )
        )
    return operations


def _layer_name(tensor: str, model: keras.Model) -> str:
    """Return the Keras layer that a tensor comes from.

    A tensor's name may contain several layers, which were fused; the one with weights wins.
    """
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
