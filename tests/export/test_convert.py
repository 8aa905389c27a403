"""The operations and types of exported graphs; all tests share one network with random weights."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from export import convert, quantize
from train.architectures import simple_cnn

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 32, 32, 3), np.uint8)


@pytest.fixture(scope="module")
def network():
    import keras

    keras.utils.set_random_seed(0)
    return simple_cnn()


@pytest.fixture(scope="module")
def graphs(network):
    return {
        "float32": convert.to_float32(network),
        "int8": quantize.to_int8(network, IMAGES),
    }


def loaded(graph: bytes) -> Interpreter:
    interpreter = Interpreter(model_content=graph)
    interpreter.allocate_tensors()
    return interpreter


def run(interpreter: Interpreter, images: np.ndarray) -> np.ndarray:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_float32_scores_equal_keras(network, graphs):
    interpreter = loaded(graphs["float32"])
    images = IMAGES.astype(np.float32) / 255
    expected = np.asarray(network(images, training=False))
    actual = np.concatenate([run(interpreter, image[None]) for image in images])
    # Both are float32, and add sums of up to 2,048 products in different orders.
    np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_int8_takes_raw_pixels_and_has_no_float_inside(graphs):
    interpreter = loaded(graphs["int8"])
    [image], [scores] = interpreter.get_input_details(), interpreter.get_output_details()
    assert (image["dtype"], scores["dtype"]) == (np.uint8, np.uint8)
    assert tuple(image["shape"]) == (1, 32, 32, 3)
    assert image["quantization"] == (pytest.approx(1 / 255, rel=1e-6), 0)
    assert scores["quantization"] == (1 / 256, 0)
    types = {np.dtype(t["dtype"]).name for t in interpreter.get_tensor_details()}
    assert types == {"uint8", "int8", "int32"}


def test_int8_weights_have_one_scale_per_channel(graphs):
    kernels = [
        tensor
        for tensor in loaded(graphs["int8"]).get_tensor_details()
        if tensor["dtype"] == np.int8 and len(tensor["quantization_parameters"]["scales"]) > 1
    ]
    channels = sorted(len(k["quantization_parameters"]["scales"]) for k in kernels)
    assert channels == [10, 32, 32, 64, 64, 128, 128, 128]


def test_batch_norms_are_folded_and_no_shape_is_computed(graphs):
    convolutions = ["CONV_2D", "CONV_2D", "MAX_POOL_2D"] * 3
    body = [*convolutions, "RESHAPE", "FULLY_CONNECTED", "FULLY_CONNECTED", "SOFTMAX"]
    expected = {"float32": body, "int8": ["QUANTIZE", *body, "QUANTIZE"]}
    for name, graph in graphs.items():
        operations = [op["op_name"] for op in loaded(graph)._get_ops_details()]
        assert [op for op in operations if op != "DELEGATE"] == expected[name]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_callers_may_resize_the_batch(graphs, precision):
    images = IMAGES if precision == "int8" else IMAGES.astype(np.float32) / 255
    interpreter = loaded(graphs[precision])
    one_by_one = np.concatenate([run(interpreter, image[None]) for image in images])
    interpreter.resize_tensor_input(0, images.shape, strict=False)
    interpreter.allocate_tensors()
    np.testing.assert_allclose(run(interpreter, images), one_by_one, atol=1e-6)
    [reshape] = [op for op in interpreter._get_ops_details() if op["op_name"] == "RESHAPE"]
    assert interpreter.get_tensor(reshape["inputs"][1]).tolist() == [-1, 2048]


def test_the_same_network_gives_the_same_bytes(network, graphs):
    assert convert.to_float32(network) == graphs["float32"]
    assert quantize.to_int8(network, IMAGES) == graphs["int8"]
    assert quantize.to_int8(network, IMAGES // 2) != graphs["int8"]
