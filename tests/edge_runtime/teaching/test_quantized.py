"""The head in integers: the written file computes the same."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edge_runtime.inference.quantization import Quantization
from edge_runtime.support import native_log
from edge_runtime.teaching.graph import BACKBONE, with_head
from edge_runtime.teaching.head import Head, softmax
from edge_runtime.teaching.quantized import quantize_head

FEATURES = 1984


@pytest.fixture(scope="module")
def images():
    """Images of noise of several sizes, uint8 (12, 224, 224, 3)."""
    rng = np.random.default_rng(0)
    sizes = (1, 2, 4, 7, 14, 28, 32, 56, 112, 224, 8, 16)
    return np.stack(
        [
            rng.integers(0, 256, (size, size, 3), np.uint8)
            .repeat(224 // size, 0)
            .repeat(224 // size, 1)
            for size in sizes
        ]
    )


def interpreter(model, **options):
    with native_log.dropped():
        made = Interpreter(model_content=model, **options)
        made.allocate_tensors()
    return made


def outputs(made, images, index=None):
    (given,), (taken,) = made.get_input_details(), made.get_output_details()
    rows = []
    for image in images:
        made.set_tensor(given["index"], image[np.newaxis])
        made.invoke()
        rows.append(made.get_tensor(taken["index"] if index is None else index)[0].copy())
    return np.array(rows)


@pytest.fixture(scope="module")
def backbone(images):
    """Features of the images, int8 (12, 1984), and their quantization."""
    made = interpreter(BACKBONE.read_bytes())
    (output,) = made.get_output_details()
    return outputs(made, images), Quantization(*output["quantization"])


def random_head(classes, size=0.05, seed=0):
    rng = np.random.default_rng(seed)
    weights = size * rng.normal(size=(FEATURES, classes)) * np.geomspace(0.3, 3, classes)
    return Head(weights.astype(np.float32), rng.normal(size=classes).astype(np.float32))


@pytest.mark.parametrize("classes", [2, 5, 300])
def test_integer_logits_are_those_of_the_file(images, backbone, classes):
    features, quantization = backbone
    head = quantize_head(random_head(classes), quantization, quantization.dequantize(features))
    model = with_head(BACKBONE.read_bytes(), head)
    made = interpreter(
        model,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    subgraph = schema.ModelT.InitFromPackedBuf(model).subgraphs[0]
    layer = subgraph.operators[-3]  # before SOFTMAX and QUANTIZE
    for image in images[:3]:
        (logits,) = outputs(made, [image], layer.outputs[0])
        own = made.get_tensor(layer.inputs[0]).reshape(1, -1)
        expected = head.integer_logits(own, quantization)[0]
        assert np.abs(logits.astype(int) - expected).max() <= 1  # LiteRT's multiplier has 31 bits
        assert (logits.astype(int) == expected).mean() > 0.9


@pytest.mark.parametrize("classes", [2, 5, 300])
def test_scores_of_the_file_are_the_softmax_of_integer_logits(images, backbone, classes):
    features, quantization = backbone
    head = quantize_head(random_head(classes), quantization, quantization.dequantize(features))
    scores = outputs(interpreter(with_head(BACKBONE.read_bytes(), head)), images)
    steps = head.integer_logits(features, quantization)
    expected = 256 * softmax(head.logits.dequantize(steps.astype(np.int32)))
    assert scores.dtype == np.uint8
    assert np.abs(scores - np.minimum(expected, 255)).max() <= 256 * 0.25 * head.logits.scale + 1.5


def test_the_float_heads_classes_stay(backbone):
    features, quantization = backbone
    head = random_head(4)
    real = quantization.dequantize(features)
    quantized = quantize_head(head, quantization, real)
    logits = head.logits(real)
    ordered = np.sort(logits, axis=1)
    clear = ordered[:, -1] - ordered[:, -2] > 2 * quantized.logits.scale
    assert clear.sum() >= 6
    best = quantized.best(features, quantization, logits.shape[1])
    assert (best == logits.argmax(axis=1))[clear].all()


def test_logits_of_every_photograph_fit_beside_much_higher_ones(backbone):
    """One photograph is very sure, and another one is not; both keep their best class."""
    features, quantization = backbone
    real = quantization.dequantize(features)
    logits = random_head(3, size=2.0).logits(real)
    assert logits.max() > 50
    quantized = quantize_head(random_head(3, size=2.0), quantization, real)
    assert -128 <= quantized.logits.zero_point <= 127
    assert (quantized.best(features, quantization, logits.shape[1]) == logits.argmax(axis=1)).all()


def test_all_logits_high_above_0_keep_a_valid_zero_point():
    """If every photograph is as sure, the range starts far above 0, but must contain it."""
    head = Head(np.array([[60.0, -60.0]], np.float32), np.zeros(2, np.float32))
    features = Quantization(0.01, -128)
    samples = np.array([[1.0], [1.1], [0.9]], np.float32)
    quantized = quantize_head(head, features, samples)
    assert -128 <= quantized.logits.zero_point <= 127
    steps = features.quantize(samples, np.dtype(np.int8))
    assert quantized.best(steps, features, 2).tolist() == [0, 0, 0]


def test_a_head_without_weights_keeps_its_bias():
    head = Head(np.zeros((4, 2), np.float32), np.array([-3, 3], np.float32))
    features = Quantization(0.02, -128)
    samples = np.ones((2, 4), np.float32)
    quantized = quantize_head(head, features, samples)
    logits = quantized.logits.dequantize(
        quantized.integer_logits(features.quantize(samples, np.dtype(np.int8)), features)
    )
    assert logits[:, 1] - logits[:, 0] == pytest.approx(6, abs=0.1)


def test_weights_have_a_scale_for_each_class(backbone):
    features, quantization = backbone
    head = quantize_head(random_head(5), quantization, quantization.dequantize(features))
    assert np.abs(head.weights).max(axis=1).tolist() == [127] * 5
    assert len(np.unique(head.scales)) == 5
