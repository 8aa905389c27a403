"""The strided 1 x 1 convolutions that LiteRT's GPU delegate computes wrongly in int8."""

import json

import keras
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.inference import shipped
from export import quantize
from export.gpu_workaround import widen_strided
from tests.conftest import run

CAT = shipped.samples()["cat"]


def network(side: int, stride: int) -> keras.Model:
    """Return a network with a strided 1 x 1 convolution, whose scores depend on positions."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    inputs = x = keras.Input((side, side, 3))
    x = layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(64, 1, stride, activation="relu")(x)
    x = layers.Flatten()(x)
    large = keras.initializers.RandomNormal(stddev=0.3)
    return keras.Model(inputs, layers.Dense(10, "softmax", kernel_initializer=large)(x))


def noisy_images(side: int) -> np.ndarray:
    """Return 20 images, each with noise around its own colour."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 236, (20, 1, 1, 3), np.uint8)
    return colours + rng.integers(0, 20, (20, side, side, 3), np.uint8)


def scores(graph: bytes, images: np.ndarray) -> np.ndarray:
    interpreter = Interpreter(model_content=graph)
    interpreter.allocate_tensors()
    [image], [output] = interpreter.get_input_details(), interpreter.get_output_details()
    found = []
    for pixels in images:
        interpreter.set_tensor(image["index"], pixels[None].astype(image["dtype"]))
        interpreter.invoke()
        found.append(interpreter.get_tensor(output["index"])[0])
    return np.array(found)


def kernels(graph: bytes) -> list[tuple[int, ...]]:
    """Return the height and width of each convolution's kernel."""
    model = schema.ModelT.InitFromPackedBuf(graph)
    [subgraph] = model.subgraphs
    convolution = schema.BuiltinOperator.CONV_2D
    return [
        tuple(subgraph.tensors[operator.inputs[1]].shape[1:3])
        for operator in subgraph.operators
        if model.operatorCodes[operator.opcodeIndex].builtinCode == convolution
    ]


@pytest.mark.parametrize("side", [32, 33])
@pytest.mark.parametrize("stride", [2, 3])
def test_widening_changes_no_score(side, stride):
    images = noisy_images(side)
    graph = quantize.to_int8(network(side, stride), images)
    widened = widen_strided(graph)
    assert (kernels(graph), kernels(widened)) == ([(3, 3), (1, 1)], [(3, 3), (1, 2)])
    expected = scores(graph, images)
    assert len(np.unique(expected.argmax(1))) > 1
    np.testing.assert_array_equal(scores(widened, images), expected)
    assert len(widened) < len(graph) + 32 * 64 + 100  # the narrow kernel was removed


@pytest.mark.parametrize("side", [32, 33])
def test_a_kernel_that_two_convolutions_read_is_widened_for_both(side):
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((side, side, 3))
    shared = layers.Conv2D(16, 1, 2)
    branches = [shared(layers.Conv2D(8, 3, padding="same", activation="relu")(image)) for _ in "ab"]
    flat = layers.Flatten()(layers.Concatenate()(branches))
    both = keras.Model(image, layers.Dense(10, "softmax")(flat))
    graph = quantize.to_int8(both, noisy_images(side))
    widened = widen_strided(graph)
    assert kernels(widened).count((1, 2)) == 2
    np.testing.assert_array_equal(
        scores(widened, noisy_images(side)), scores(graph, noisy_images(side))
    )


def test_widening_leaves_other_graphs_as_they_are():
    unstrided = quantize.to_int8(network(32, 1), noisy_images(32))
    floating = quantize.to_float16(network(32, 2))
    for graph in (unstrided, floating):
        assert widen_strided(graph) is graph


@pytest.mark.parametrize(
    "to", [quantize.to_dynamic, lambda n: quantize.to_int8(n, noisy_images(32))]
)
def test_the_gpu_computes_the_wide_kernel_and_refuses_the_narrow_one(vulkan, tmp_path, to):
    narrow, wide = tmp_path / "narrow.tflite", tmp_path / "wide.tflite"
    narrow.write_bytes(to(network(32, 2)))
    wide.write_bytes(widen_strided(narrow.read_bytes()))

    def classified(path, delegate):
        command = ("edge-classify", "--json", "--model", path, "--delegate", delegate, CAT)
        return run(*command, env=vulkan)

    by_gpu, by_cpu = (json.loads(classified(wide, d).stdout) for d in ("gpu", "cpu"))
    [ours], [theirs] = by_gpu["predictions"], by_cpu["predictions"]
    assert ours["label"] == theirs["label"]
    assert ours["score"] == pytest.approx(theirs["score"], abs=16 / 256)
    refused = classified(narrow, "gpu")
    assert refused.returncode == 1
    assert f"The gpu computes {narrow} wrongly" in refused.stderr
