"""Round the weights of an int8 graph anew, so that no CPU's sums of products overflow.

Without byte multiply-add instructions (VNNI) x86 kernels may add the products of two adjacent input
channels in 16 bits: 255 * 127 + 255 * 127 = 64,770 is more than 32,767 and is cut off. ONNX Runtime
calls the remedy `reduce_range`. TensorFlow's converter has no such option, so its scales, weights
and biases are replaced here, from the float weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_runtime.inference.openvino import pair_sums
from edge_runtime.inference.placement import WEIGHTED_OPERATIONS
from edge_runtime.tflite.graph import operator_name, packed

_DEPTHWISE = "DEPTHWISE_CONV_2D"
_SEVEN_BITS, _EIGHT_BITS = 63, 127
# The sum of two weights may be 128. Rounding may add a half to each of them.
_PAIR = 127

# From the place of a layer among those with weights, and its float kernel (outputs, ..., inputs),
# to the scale of each output channel, float64 (outputs,).
Scales = Callable[[int, NDArray[np.float64]], NDArray[np.float64]]


class WeightBits(StrEnum):
    """Which integers the weights of an int8 model may be."""

    EIGHT = "8"
    SEVEN = "7"
    PAIRS = "pairs"


_DEFAULTS = {"cnn": WeightBits.SEVEN}


def default_bits(network: str) -> WeightBits:
    """Return the bits that a network's weights get by default.

    They are 7 where that costs nothing: the file agrees with the float network on as many held-out
    images as with 8 bits. `python -m export.weight_bits` measures it.

    Args:
        network: a name in `train.networks.NETWORKS`.
    """
    return _DEFAULTS.get(network, WeightBits.EIGHT)


def scales_of(bits: WeightBits) -> Scales:
    """Return how a kernel's scales are chosen.

    Args:
        bits: `8` makes a channel's largest weight 127, as the converter does, and `7` makes it 63.
            `pairs` makes it 127 too, unless the sum of two weights that share 16 bits would exceed
            128; then it is as large as that allows.
    """
    return _SCALES[bits]


def first_in_seven_bits(layer: int, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return scales, see `Scales`, that give 7 bits to the first layer and 8 to the others."""
    return scales_of(WeightBits.EIGHT if layer else WeightBits.SEVEN)(layer, kernel)


def rounded(kernel: NDArray[np.float64], scales: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a kernel (outputs, ..., inputs) in whole steps of its channels' scales, float64."""
    steps: NDArray[np.float64] = np.round(kernel / scales.reshape(-1, *[1] * (kernel.ndim - 1)))
    return steps


def requantized(graph: bytes, floats: bytes, scales: Scales) -> bytes:
    """Return an int8 graph with weights and biases rounded to other scales.

    The other scales of the graph, those of its activations, stay.

    Args:
        graph: from `export.quantize.to_int8`.
        floats: the same network from `export.convert.to_float32`.
        scales: of the kernels.
    """
    model, source = (schema.ModelT.InitFromPackedBuf(data) for data in (graph, floats))
    tensors, of_source = model.subgraphs[0].tensors, source.subgraphs[0].tensors
    pairs = zip(_weighted(model), _weighted(source), strict=True)
    for layer, ((kind, operator), (_, original)) in enumerate(pairs):
        image, kernel = (tensors[index] for index in operator.inputs[:2])
        values = _floats(source, of_source[original.inputs[1]])
        if kind == _DEPTHWISE:  # (1, height, width, channels)
            values = np.moveaxis(values, -1, 0)
        of_layer = scales(layer, values).astype(np.float32)
        steps = rounded(values, of_layer.astype(np.float64)).astype(np.int8)
        if kind == _DEPTHWISE:
            steps = np.moveaxis(steps, 0, -1)
        _store(model, kernel, of_layer, steps)
        if original.inputs[2] >= 0:  # otherwise all biases are 0
            biases = _floats(source, of_source[original.inputs[2]])
            of_bias = np.float32(image.quantization.scale[0]) * of_layer
            rounded_biases = np.round(biases / of_bias.astype(np.float64)).astype(np.int32)
            _store(model, tensors[operator.inputs[2]], of_bias, rounded_biases)
    return packed(model)


def _weighted(model: schema.ModelT) -> Iterator[tuple[str, schema.OperatorT]]:
    for operator in model.subgraphs[0].operators:
        kind = operator_name(model.operatorCodes[operator.opcodeIndex])
        if kind in WEIGHTED_OPERATIONS:
            yield kind, operator


def _floats(model: schema.ModelT, tensor: schema.TensorT) -> NDArray[np.float64]:
    values: NDArray[np.float32] = model.buffers[tensor.buffer].data.view(np.float32)
    return values.reshape(tensor.shape).astype(np.float64)


def _store(
    model: schema.ModelT,
    tensor: schema.TensorT,
    scales: NDArray[np.float32],
    values: NDArray[np.integer],
) -> None:
    tensor.quantization.scale = scales
    data = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
    model.buffers[tensor.buffer] = schema.BufferT(data)


def _largest(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest absolute weight of each channel, or 1 if there are only zeros."""
    found = np.abs(kernel).reshape(len(kernel), -1).max(axis=1)
    return np.where(found > 0, found, 1.0)


def _largest_pair(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the largest sum of two weights that share 16 bits, of each channel.

    See `edge_runtime.inference.openvino.pair_sums`.
    """
    found = pair_sums(kernel).reshape(len(kernel), -1).max(axis=1)
    return np.where(found > 0, found, 1.0)


_SCALES: dict[WeightBits, Scales] = {
    WeightBits.EIGHT: lambda _, kernel: _largest(kernel) / _EIGHT_BITS,
    WeightBits.SEVEN: lambda _, kernel: _largest(kernel) / _SEVEN_BITS,
    WeightBits.PAIRS: lambda _, kernel: _largest_pair(kernel) / _PAIR,
}
