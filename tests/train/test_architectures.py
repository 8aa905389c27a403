import keras
import numpy as np
import pytest

from train.architectures import simple_cnn
from train.folding import fold

IMAGES = np.random.default_rng(0).random((6, 32, 32, 3), np.float32)


def trainable(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def test_the_seed_s_parameter_counts():
    model = simple_cnn()
    assert model.count_params() == 551_466
    assert trainable(model) == 551_018
    assert model.count_params() - trainable(model) == 448


def test_layers_in_the_seed_s_order():
    kinds = [type(layer).__name__ for layer in simple_cnn().layers]
    block = ["Conv2D", "BatchNormalization", "ReLU", "Conv2D", "ReLU", "MaxPooling2D", "Dropout"]
    head = ["Flatten", "Dense", "ReLU", "Dropout", "Dense", "Softmax"]
    assert kinds == ["InputLayer", *block * 3, *head]


@pytest.mark.parametrize("classes", [2, 10])
def test_scores_are_a_distribution(classes):
    scores = np.asarray(simple_cnn(classes)(IMAGES))
    assert scores.shape == (6, classes)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


def test_bfloat16_scores_are_close_to_float32():
    exact, fast = simple_cnn(), simple_cnn(precision="bfloat16")
    fast.set_weights(exact.get_weights())
    difference = np.abs(np.asarray(exact(IMAGES)) - np.asarray(fast(IMAGES), np.float32)).max()
    # bfloat16 keeps 8 bits: each of eight layers may be off by 2^-8 of its values.
    assert 0 < difference < 8 * 2**-8


def random_statistics(model):
    """Give every BatchNorm the statistics of a trained network."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = layer.get_weights()[0].shape
            layer.set_weights(
                [
                    rng.uniform(0.5, 2, channels),
                    rng.normal(0, 0.5, channels),
                    rng.normal(0, 0.3, channels),
                    rng.uniform(0.1, 2, channels),
                ]
            )


def test_folding_keeps_the_scores():
    trained, deployed = simple_cnn(norm="every"), simple_cnn()
    random_statistics(trained)
    fold(trained, deployed)
    expected = np.asarray(trained(IMAGES, training=False))
    assert np.ptp(expected, axis=0).max() > 1e-3  # the images are told apart
    np.testing.assert_allclose(deployed(IMAGES, training=False), expected, atol=1e-5)
    assert deployed.count_params() == 551_466


def test_folded_batch_norms_do_nothing():
    trained, deployed = simple_cnn(norm="every"), simple_cnn()
    random_statistics(trained)
    fold(trained, deployed)
    for layer in deployed.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            x = np.random.default_rng(2).normal(size=(1, 2, 2, layer.gamma.shape[0]))
            np.testing.assert_allclose(layer(x.astype(np.float32)), x, rtol=1e-6)
