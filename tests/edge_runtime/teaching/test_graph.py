"""The graph of a taught model."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edge_runtime.inference.quantization import Quantization
from edge_runtime.support import native_log
from edge_runtime.teaching.graph import BACKBONE, SIDES, backbone_file, resized, with_head
from edge_runtime.teaching.quantized import QuantizedHead
from edge_runtime.tflite.graph import operator_name

KERNELS = {
    "default": OpResolverType.AUTO,
    "optimised": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    "reference": OpResolverType.BUILTIN_REF,
}


def image(side, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (side // 16, side // 16, 3), np.uint8)
    return coarse.repeat(16, 0).repeat(16, 1)[np.newaxis]


def answers(model, pixels, kernels="default"):
    with native_log.dropped():
        made = Interpreter(model_content=model, experimental_op_resolver_type=KERNELS[kernels])
        made.allocate_tensors()
    (given,), (taken,) = made.get_input_details(), made.get_output_details()
    made.set_tensor(given["index"], pixels)
    made.invoke()
    return made.get_tensor(taken["index"])


def head(classes=4, seed=0):
    rng = np.random.default_rng(seed)
    return QuantizedHead(
        rng.integers(-127, 128, (classes, 1984), dtype=np.int8),
        np.geomspace(1e-3, 4e-3, classes).astype(np.float32),
        rng.integers(-1000, 1000, classes, dtype=np.int32),
        Quantization(0.1, 3),
    )


@pytest.fixture(scope="module", params=SIDES)
def taught(request):
    with backbone_file(request.param) as path:
        return request.param, with_head(path.read_bytes(), head())


def test_the_file_takes_uint8_images_and_gives_uint8_scores(taught):
    side, model = taught
    with native_log.dropped():
        made = Interpreter(model_content=model)
    (given,), (taken,) = made.get_input_details(), made.get_output_details()
    assert (given["shape"].tolist(), given["dtype"]) == ([1, side, side, 3], np.uint8)
    assert (taken["shape"].tolist(), taken["dtype"]) == ([1, 4], np.uint8)
    assert taken["quantization"] == (1 / 256, 0)
    assert taken["name"] == "scores"


def test_all_kernels_give_the_same_scores(taught):
    """Integer kernels round differently, by a step or two of the features and the logits."""
    side, model = taught
    for seed in range(3):
        rows = {name: answers(model, image(side, seed), name).astype(int) for name in KERNELS}
        for name, scores in rows.items():
            assert abs(scores.sum() - 256) <= 4, name
            assert np.abs(scores - rows["default"]).max() <= 16, name


def test_another_sides_graph_computes_what_the_resized_interpreter_does():
    model = BACKBONE.read_bytes()
    for side in SIDES[:-1]:
        with native_log.dropped():
            made = Interpreter(model_content=model)
            (given,), (taken,) = made.get_input_details(), made.get_output_details()
            made.resize_tensor_input(given["index"], [1, side, side, 3])
            made.allocate_tensors()
        made.set_tensor(given["index"], image(side))
        made.invoke()
        expected = made.get_tensor(taken["index"])
        assert (answers(resized(model, side), image(side)) == expected).all()
        assert len(np.unique(expected)) > 20


def test_the_shapes_of_all_tensors_are_those_of_the_side():
    graph = schema.ModelT.InitFromPackedBuf(resized(BACKBONE.read_bytes(), 128))
    heights = {int(t.shape[1]) for t in graph.subgraphs[0].tensors if len(t.shape) == 4}
    assert {128, 64, 32, 16, 8, 4} <= heights
    assert not heights & {224, 112, 56, 28, 14}


def test_the_shipped_file_is_used_for_the_side_it_was_trained_at():
    with backbone_file(SIDES[-1]) as path:
        assert path == BACKBONE
    with backbone_file(128) as path:
        assert path != BACKBONE
    assert not path.exists()


def test_the_head_is_a_fully_connected_layer_with_scales_by_class(taught):
    _, model = taught
    graph = schema.ModelT.InitFromPackedBuf(model)
    (subgraph,) = graph.subgraphs
    names = [operator_name(graph.operatorCodes[o.opcodeIndex]) for o in subgraph.operators]
    assert names[-3:] == ["FULLY_CONNECTED", "SOFTMAX", "QUANTIZE"]
    layer = subgraph.operators[-3]
    features, weights, bias = (subgraph.tensors[index] for index in layer.inputs)
    assert weights.quantization.scale == pytest.approx(head().scales)
    assert weights.quantization.zeroPoint.tolist() == [0] * 4
    assert bias.quantization.scale == pytest.approx(
        head().scales * features.quantization.scale[0], rel=1e-6
    )
    assert bias.type == schema.TensorType.INT32


def test_buffers_are_aligned_as_the_format_asks(taught):
    _, model = taught
    graph = schema.Model.GetRootAs(model)
    for index in range(graph.BuffersLength()):
        data = graph.Buffers(index).DataAsNumpy()
        if not isinstance(data, int) and len(data):
            offset = (
                data.__array_interface__["data"][0]
                - np.frombuffer(model, np.uint8).__array_interface__["data"][0]
            )
            assert offset % 16 == 0
