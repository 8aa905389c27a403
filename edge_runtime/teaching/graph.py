"""The graph of a taught model: the backbone's with a head behind it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.quantization import Quantization
from edge_runtime.support import native_log
from edge_runtime.teaching.quantized import QuantizedHead
from edge_runtime.tflite.card import input_and_output
from edge_runtime.tflite.graph import packed
from edge_runtime.tflite.metadata import describe, undescribed

BACKBONE = Path(__file__).parents[1] / "backbones" / "efficientnet-lite0-int8.tflite"
SIDES = (128, 160, 192, 224)  # pixels; the backbone was trained at the last one
_SCORES = Quantization(1 / 256, -128)  # LiteRT's quantization specification, SOFTMAX
# Of the operators, as TensorFlow's converter writes them for such a head.
_VERSIONS = {"FULLY_CONNECTED": 4, "SOFTMAX": 2, "QUANTIZE": 1}


@contextmanager
def backbone_file(side: int) -> Iterator[Path]:
    """Yield the path of the backbone for images of a side, in pixels."""
    if side == SIDES[-1]:
        yield BACKBONE
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / BACKBONE.name
        graph = resized(undescribed(BACKBONE.read_bytes()), side)
        card = {**read_metadata(BACKBONE).card, "io": input_and_output(graph)}
        path.write_bytes(describe(graph, card))
        yield path


def resized(model: bytes, side: int) -> bytes:
    """Return a graph for images of another side.

    Shapes are data in the file: LiteRT finds those of all tensors from the input's.

    Args:
        model: a .tflite file without a layer that needs one size of image.
        side: of the images, in pixels.
    """
    with native_log.dropped():
        interpreter = Interpreter(  # XNNPACK would keep the new shapes to itself
            model_content=model,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        (image,) = interpreter.get_input_details()
        interpreter.resize_tensor_input(image["index"], [1, side, side, 3], strict=False)
        interpreter.allocate_tensors()
    shapes = {d["index"]: d["shape"] for d in interpreter.get_tensor_details()}
    graph = schema.ModelT.InitFromPackedBuf(model)
    for index, tensor in enumerate(graph.subgraphs[0].tensors):
        tensor.shape = np.asarray(shapes[index], np.int32)
    return packed(graph)


def with_head(model: bytes, head: QuantizedHead) -> bytes:
    """Return the backbone's graph with a head behind it: uint8 images in, uint8 scores out.

    Args:
        model: the backbone, whose output is int8 features.
        head: its quantized head.
    """
    graph = schema.ModelT.InitFromPackedBuf(undescribed(model))
    (subgraph,) = graph.subgraphs
    (features,) = subgraph.outputs
    classes, types = len(head.weights), schema.TensorType

    def tensor(
        name: str,
        kind: int,
        shape: tuple[int, ...],
        scale: float | NDArray[np.float32],
        zero_point: int,
        data: NDArray[np.generic] | None = None,
    ) -> int:
        """Add a tensor and return its index."""
        made, content = schema.TensorT(), schema.BufferT()
        made.name, made.type, made.shape = name.encode(), kind, np.array(shape, np.int32)
        made.buffer = len(graph.buffers)
        if data is not None:
            content.data = np.frombuffer(data.tobytes(), np.uint8)
        graph.buffers.append(content)
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale = np.array(scale, np.float32).reshape(-1)
        made.quantization.zeroPoint = np.full(made.quantization.scale.shape, zero_point, np.int64)
        subgraph.tensors.append(made)
        return len(subgraph.tensors) - 1

    def operator(name: str, inputs: list[int], output: int, options: object = None) -> None:
        """Add an operator, given its name in schema.fbs."""
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = _VERSIONS[name]
        graph.operatorCodes.append(code)
        made = schema.OperatorT()
        made.opcodeIndex = len(graph.operatorCodes) - 1
        made.inputs, made.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
        if options is not None:
            made.builtinOptions = options
            kind = type(options).__name__.removesuffix("T")
            made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        subgraph.operators.append(made)

    bias_scales = head.scales * float(subgraph.tensors[features].quantization.scale[0])
    weights = tensor("head/weights", types.INT8, head.weights.shape, head.scales, 0, head.weights)
    bias = tensor("head/bias", types.INT32, (classes,), bias_scales, 0, head.bias)
    logits = tensor("head/logits", types.INT8, (1, classes), *head.logits)
    steps = tensor("head/scores", types.INT8, (1, classes), *_SCORES)
    scores = tensor("scores", types.UINT8, (1, classes), _SCORES.scale, 0)
    softmax = schema.SoftmaxOptionsT()
    softmax.beta = 1.0
    operator("FULLY_CONNECTED", [features, weights, bias], logits, schema.FullyConnectedOptionsT())
    operator("SOFTMAX", [logits], steps, softmax)
    operator("QUANTIZE", [steps], scores)
    subgraph.outputs = np.array([scores], np.int32)
    for signature in graph.signatureDefs or []:
        for end in signature.outputs:
            end.name, end.tensorIndex = b"scores", scores
    return packed(graph)
