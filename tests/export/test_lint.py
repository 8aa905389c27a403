"""The graph lint: good graphs have no findings, and each fault is found."""

import numpy as np
import tensorflow as tf

from edge_runtime.inference import shipped
from export.lint import lint
from tests.conftest import GOLDEN

SHIPPED = shipped.models()


def converted(tmp_path, function, *, integer=False):
    signature = [tf.TensorSpec([1, 8, 8, 3], tf.float32)]
    module = tf.Module()
    module.call = tf.function(function, input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [module.call.get_concrete_function()], module
    )
    if integer:
        image = np.linspace(0, 1, 192, dtype=np.float32).reshape(1, 8, 8, 3)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: iter([[image]])
    path = tmp_path / "m.tflite"
    path.write_bytes(converter.convert())
    return path


KERNEL = tf.constant(np.random.default_rng(0).random((3, 3, 3, 4), np.float32))


def convolution(image):
    return tf.reduce_mean(tf.nn.conv2d(image, KERNEL, 1, "SAME"), [1, 2])


def test_the_shipped_models_are_clean():
    assert lint(SHIPPED["cnn-int8"], io="uint8", integer=True) == []
    assert lint(SHIPPED["resnet18-int8"], io="uint8", integer=True) == []
    assert lint(SHIPPED["cnn-float32"], io="float32", integer=False) == []


def test_wrong_types_are_named():
    assert lint(GOLDEN / "int8.tflite", io="uint8", integer=True) == [
        "expected one input of type uint8, but got int8",
        "expected one output of type uint8, but got int8",
    ]


def test_shape_arithmetic_is_named(tmp_path):
    path = converted(tmp_path, lambda x: tf.reduce_mean(x[:, :4], [1, 2]))
    [finding] = lint(path, io="float32", integer=False)
    assert finding == "STRIDED_SLICE (node 0) computes shapes or copies at run time"


def test_float_islands_are_named(tmp_path):
    """A sine has no int8 kernel, so it stays in float."""
    path = converted(tmp_path, lambda x: convolution(tf.sin(x)), integer=True)
    [finding] = lint(path, io="float32", integer=True)
    assert finding == "SIN (node 0) runs in float inside an integer graph"
    assert lint(path, io="float32", integer=False) == []


def test_layers_outside_the_delegate_are_named(tmp_path):
    """XNNPACK does not take a convolution whose kernel is computed at run time."""
    inside = converted(tmp_path, convolution)
    assert lint(inside, io="float32", integer=False) == []

    def computed(image):
        kernel = KERNEL * tf.reduce_mean(image)
        return tf.reduce_mean(tf.nn.conv2d(image, kernel, 1, "SAME"), [1, 2])

    findings = lint(converted(tmp_path, computed), io="float32", integer=False)
    assert [f for f in findings if f.startswith("CONV_2D") and f.endswith("outside the delegate")]
