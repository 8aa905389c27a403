"""Int8 weights whose sums of two products fit into 16 bits."""

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.inference.interpreter import integer_kernels
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.openvino import pair_sums
from export import convert, quantize, verify
from export.pipeline import QuantizationMode, export_tflite
from export.requantize import (
    WeightBits,
    first_in_seven_bits,
    requantized,
    rounded,
    scales_of,
)
from tests.export.test_gpu_workaround import noisy_images

EIGHT, SEVEN, PAIRS = WeightBits
KERNEL = np.random.default_rng(0).normal(size=(50, 3, 3, 15))


def depthwise_network() -> keras.Model:
    """Return a network with a convolution of each kind and a dense layer."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = x = keras.Input((8, 8, 3))
    x = layers.Conv2D(16, 3, 2, activation="relu")(x)
    x = layers.DepthwiseConv2D(3, activation="relu", bias_initializer="normal")(x)
    x = layers.Flatten()(x)
    return keras.Model(inputs, layers.Dense(10, "softmax")(x))


def outputs(graph: bytes, images: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=graph)
    interpreter.allocate_tensors()
    found = []
    for image in images:
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[np.newaxis])
        interpreter.invoke()
        found.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0])
    return np.array(found, np.float32) / 256


def constants(graph: bytes, kind: int) -> list[np.ndarray]:
    """Return the constant tensors of a type, int64."""
    model = schema.ModelT.InitFromPackedBuf(graph)
    numpy_type = {schema.TensorType.INT8: np.int8, schema.TensorType.INT32: np.int32}[kind]
    buffers = [model.buffers[t.buffer].data for t in model.subgraphs[0].tensors if t.type == kind]
    return [b.view(numpy_type).astype(np.int64) for b in buffers if b is not None]


@pytest.mark.parametrize(
    ("bits", "largest", "largest_pair"), [(EIGHT, 127, 254), (SEVEN, 63, 126), (PAIRS, 127, 128)]
)
def test_how_large_weights_become(bits, largest, largest_pair):
    steps = rounded(KERNEL, scales_of(bits)(0, KERNEL))
    assert np.abs(steps).max() <= largest
    assert pair_sums(steps).max() <= largest_pair
    if bits is not PAIRS:
        assert (np.abs(steps).reshape(50, -1).max(axis=1) == largest).all()


def test_pairs_cost_fewer_steps_than_seven_bits():
    seven, pairs = (scales_of(bits)(0, KERNEL) for bits in (SEVEN, PAIRS))
    assert (pairs < seven).all()


def test_a_channel_of_zeros_stays_zero():
    for bits in WeightBits:
        scales = scales_of(bits)(0, np.zeros((2, 1, 1, 4)))
        assert (scales > 0).all()


def test_the_first_layer_alone():
    first, second = (first_in_seven_bits(layer, KERNEL) for layer in (0, 1))
    np.testing.assert_array_equal(first, scales_of(SEVEN)(0, KERNEL))
    np.testing.assert_array_equal(second, scales_of(EIGHT)(1, KERNEL))


@pytest.fixture(scope="module")
def graphs():
    """Return an int8 graph of every kind of layer, its float self, and images."""
    model, images = depthwise_network(), noisy_images(8)
    return quantize.to_int8(model, images), convert.to_float32(model), images


def test_with_eight_bits_the_converters_graph_comes_out(graphs):
    int8, floats, images = graphs
    made = requantized(int8, floats, scales_of(EIGHT))
    for kind in (schema.TensorType.INT8, schema.TensorType.INT32):
        for ours, theirs in zip(constants(made, kind), constants(int8, kind), strict=True):
            assert np.abs(ours - theirs).max() <= 1  # ties
    np.testing.assert_allclose(outputs(made, images), outputs(int8, images), atol=2 / 256)


@pytest.mark.parametrize("bits", [SEVEN, PAIRS])
def test_other_weights_give_nearly_the_same_scores(graphs, bits):
    int8, floats, images = graphs
    made = requantized(int8, floats, scales_of(bits))
    assert made != int8
    np.testing.assert_allclose(outputs(made, images), outputs(int8, images), atol=8 / 256)


@pytest.mark.parametrize(("bits", "most"), [(SEVEN, 126), (PAIRS, 128)])
def test_an_export_with_fewer_bits(cnn, tmp_path, bits, most):
    out = tmp_path / "cnn.tflite"
    made = export_tflite(QuantizationMode.INT8, out, cnn, weight_bits=bits)
    assert made.findings == []
    assert read_metadata(out).card["weight_bits"] == str(bits)
    assert max(pair_sums(kernel).max() for kernel in integer_kernels(out)) <= most
    scores = verify.file_scores(out, cnn.held_out.images)
    assert verify.compare(cnn.scores, scores, cnn.held_out.labels).agreement >= 0.98
