"""Our BatchNorm against that of Keras, whose results it must equal."""

import keras
import numpy as np
import pytest

from train.architectures import simple_cnn
from train.normalization import BatchNormalization, estimate_moments

RNG = np.random.default_rng(0)
SHAPES = [(16, 6, 5, 8), (64, 8)]  # after a convolution, after a dense layer


def layer(kind, shape, dtype="float32"):
    made = kind(momentum=0.9, epsilon=1e-5, dtype=dtype)
    made.build(shape)
    made.set_weights([np.linspace(low, low + 2, shape[-1]) for low in (0.5, -1, 0, 1)])
    return made


def trained(kind, images, dtype):
    """Return outputs in training, gradients of the sum of their cubes, and the new moments."""
    tf = pytest.importorskip("tensorflow")
    norm = layer(kind, images.shape, dtype)
    inputs = tf.cast(images, norm.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = norm(inputs, training=True)
        total = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 3)
    gradients = tape.gradient(total, [inputs, *norm.trainable_variables])
    return [
        np.asarray(tf.cast(values, tf.float32))
        for values in (outputs, *gradients, norm.moving_mean, norm.moving_variance)
    ]


# bfloat16 keeps 8 bits. In float32, sums of 480 values differ by their order.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 2**-8)])
@pytest.mark.parametrize("shape", SHAPES)
def test_training_equals_that_of_keras(shape, dtype, tolerance):
    images = RNG.normal(1, 3, shape).astype(np.float32)
    expected = trained(keras.layers.BatchNormalization, images, dtype)
    for ours, theirs in zip(trained(BatchNormalization, images, dtype), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance * np.abs(theirs).max())


@pytest.mark.parametrize("frozen", [False, True])
def test_inference_and_a_frozen_layer_use_the_moving_moments(frozen):
    images = RNG.normal(1, 3, SHAPES[0]).astype(np.float32)
    norm = layer(BatchNormalization, images.shape)
    before = norm.get_weights()
    norm.trainable = not frozen
    outputs = np.asarray(norm(images, training=frozen))
    expected = np.asarray(layer(keras.layers.BatchNormalization, images.shape)(images))
    np.testing.assert_array_equal(outputs, expected)
    for value, was in zip(norm.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, was)


def test_estimated_moments_normalise_every_layer():
    keras.utils.set_random_seed(0)
    model = simple_cnn(norm="every", dropout_blocks=0.5)
    norms = [n for n in model.layers if isinstance(n, keras.layers.BatchNormalization)]
    images = RNG.random((1000, 32, 32, 3), np.float32)
    momenta, trained = [n.momentum for n in norms], [v.numpy() for v in model.trainable_variables]
    estimate_moments(model, np.split(images, 2))
    inner = keras.Model(model.inputs, [n.output for n in norms])
    for norm, outputs in zip(norms, inner.predict(images, verbose=0), strict=True):
        flat = outputs.reshape(-1, outputs.shape[-1])
        # beta is 0 and gamma 1. epsilon reduces the first layer's small variance a little.
        np.testing.assert_allclose(flat.mean(axis=0), 0, atol=0.01, err_msg=norm.name)
        np.testing.assert_allclose(flat.std(axis=0), 1, atol=0.06, err_msg=norm.name)
    assert [n.momentum for n in norms] == momenta
    assert {d.rate for d in model.layers if isinstance(d, keras.layers.Dropout)} == {0.5}
    for value, was in zip(model.trainable_variables, trained, strict=True):
        np.testing.assert_array_equal(value.numpy(), was)
