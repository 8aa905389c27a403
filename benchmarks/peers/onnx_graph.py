"""Convert a Keras network to an ONNX graph with equal scores, for the peers that read ONNX.

This file knows the layers that `train.architectures` uses, and no others. It folds each BatchNorm
into the convolution before it, as LiteRT's converter does. ONNX expects channels first, so the
input is (N, channels, height, width).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from benchmarks.peers.convertible import ConvertibleNetwork
from edge_runtime.support.files import replacing
from train.folding import absorb

OPSET = 17
INPUT = "image"

_Node = tuple[str, dict[str, Any]]


def to_onnx(model: keras.Model) -> onnx.ModelProto:
    """Convert a network with one input and one output.

    Returns:
        A checked graph. Its input is `image`, float32 (N, channels, height, width), 0-1.

    Raises:
        ValueError: the network has a layer, or an option of a layer, that is not supported.
    """
    walk = _Walk()
    for layer in model.layers:
        walk.add(layer)
    channels_first = [model.input_shape[i] for i in (3, 1, 2)]
    scores = walk.names[id(model.output)]
    graph = helper.make_graph(
        walk.nodes,
        model.name,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", *channels_first])],
        [helper.make_tensor_value_info(scores, TensorProto.FLOAT, ["N", *model.output_shape[1:]])],
        walk.constants,
    )
    converted = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8
    )
    onnx.checker.check_model(converted, full_check=True)
    return converted


def onnx_file(network: ConvertibleNetwork, folder: Path) -> Path:
    """Return the ONNX file of a network in a folder; convert the network if the file is missing."""
    path = folder / f"{network.name}-float32.onnx"
    if not path.exists():
        with replacing(path) as temporary:
            onnx.save(to_onnx(network.model()), temporary)
    return path


class _Walk:
    """The graph built so far, and the ONNX name of each Keras tensor by the tensor's id."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.names: dict[int, str] = {}
        self._pads: dict[int, tuple[int, int, int, int]] = {}  # padding not yet applied, by tensor
        self._convs: dict[int, tuple[keras.layers.Conv2D, onnx.NodeProto]] = {}

    def add(self, layer: keras.Layer) -> None:
        """Add the ONNX nodes of a layer."""
        kind = type(layer).__name__
        if kind == "InputLayer":
            self.names[id(layer.output)] = INPUT
        elif kind in _IDENTITY:
            self._alias(layer)
        elif kind == "ZeroPadding2D":
            (top, bottom), (left, right) = layer.padding
            self._pads[id(layer.output)] = (top, left, bottom, right)
            self._alias(layer)
        elif kind == "BatchNormalization":
            self._batch_norm(layer)
        elif kind == "Conv2D":
            self._convolution(layer)
        elif kind == "Dense":
            self._dense(layer)
        elif kind in _SIMPLE:
            operator, attributes = _SIMPLE[kind](layer)
            if kind == "MaxPooling2D":
                attributes["pads"] = self._pads.get(id(layer.input), (0, 0, 0, 0))
            self._node(operator, layer, **attributes)
        else:
            raise ValueError(f"The ONNX conversion does not support {kind} {layer.name}; add it.")

    def _alias(self, layer: keras.Layer) -> None:
        self.names[id(layer.output)] = self.names[id(layer.input)]

    def _node(
        self, operator: str, layer: keras.Layer, *weights: NDArray[Any], **attributes: Any
    ) -> onnx.NodeProto:
        tensors = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = [self.names[id(tensor)] for tensor in tensors]
        for number, weight in enumerate(weights):
            name = f"{layer.name}/{number}"
            self.constants.append(numpy_helper.from_array(weight.astype(np.float32), name))
            inputs.append(name)
        node = helper.make_node(operator, inputs, [layer.name], layer.name, **attributes)
        self.nodes.append(node)
        self.names[id(layer.output)] = layer.name
        return node

    def _convolution(self, layer: keras.layers.Conv2D) -> None:
        if layer.padding == "same" and layer.strides != (1, 1):
            raise ValueError(
                f"The ONNX conversion does not support {layer.name}: strides with padding `same`."
            )
        pads = self._pads.get(id(layer.input), (0, 0, 0, 0))
        if layer.padding == "same":
            before = [(size - 1) // 2 for size in layer.kernel_size]
            after = [size - 1 - b for size, b in zip(layer.kernel_size, before, strict=True)]
            pads = (before[0], before[1], after[0], after[1])
        kernel, bias = _weights(layer)
        node = self._node(
            "Conv",
            layer,
            kernel.transpose(3, 2, 0, 1),
            bias,
            strides=layer.strides,
            pads=pads,
            kernel_shape=layer.kernel_size,
        )
        self._convs[id(layer.output)] = layer, node

    def _batch_norm(self, norm: keras.layers.BatchNormalization) -> None:
        if id(norm.input) not in self._convs:
            raise ValueError(f"{norm.name}: a BatchNorm must follow a convolution.")
        layer, node = self._convs[id(norm.input)]
        kernel, bias = absorb(*_weights(layer), norm)
        for name, weight in zip(node.input[1:], (kernel.transpose(3, 2, 0, 1), bias), strict=True):
            [constant] = [c for c in self.constants if c.name == name]
            constant.CopyFrom(numpy_helper.from_array(weight.astype(np.float32), name))
        self._alias(norm)

    def _dense(self, layer: keras.layers.Dense) -> None:
        kernel, bias = _weights(layer)
        flattened = layer.input._keras_history.operation
        if isinstance(flattened, keras.layers.Flatten):  # Keras flattens with channels last
            height, width, channels = flattened.input.shape[1:]
            rows = kernel.reshape(height, width, channels, -1).transpose(2, 0, 1, 3)
            kernel = rows.reshape(kernel.shape)
        self._node("Gemm", layer, kernel, bias)


_IDENTITY = ("Dropout",)  # no operation during inference
_SIMPLE: dict[str, Callable[[Any], _Node]] = {
    "ReLU": lambda layer: ("Relu", {}),
    "Add": lambda layer: ("Add", {}),
    "Softmax": lambda layer: ("Softmax", {"axis": -1}),
    "Flatten": lambda layer: ("Flatten", {"axis": 1}),
    "MaxPooling2D": lambda layer: (
        "MaxPool",
        {"kernel_shape": layer.pool_size, "strides": layer.strides},
    ),
    "GlobalAveragePooling2D": lambda layer: ("ReduceMean", {"axes": [2, 3], "keepdims": 0}),
    "GlobalMaxPooling2D": lambda layer: ("ReduceMax", {"axes": [2, 3], "keepdims": 0}),
    "Concatenate": lambda layer: ("Concat", {"axis": 1}),
    "Activation": lambda layer: ({"sigmoid": "Sigmoid"}[layer.activation.__name__], {}),
    "Multiply": lambda layer: ("Mul", {}),
}


def _weights(layer: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    kernel, *bias = (np.asarray(w, np.float64) for w in layer.get_weights())
    return kernel, bias[0] if bias else np.zeros(kernel.shape[-1])
