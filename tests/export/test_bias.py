"""Rounding kernels to int8 shifts the mean outputs; corrected biases make up for it."""

import keras
import numpy as np
import pytest

from export import bias, committed
from train.architectures import resnet18, simple_cnn

IMAGES = committed.read().train.images[::10]


def rounded(model: keras.Model) -> keras.Model:
    """Return a copy with the rounded kernels of an int8 file."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in copy.layers:
        if hasattr(layer, "kernel"):
            kernel = np.asarray(layer.kernel)
            scale = np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 127
            layer.kernel.assign(np.round(kernel / scale) * scale)
    return copy


def mean_outputs(model: keras.Model, layer: str) -> np.ndarray:
    """Return the mean output of each channel over all images and positions."""
    part = keras.Model(model.inputs, model.get_layer(layer).output)
    outputs = part.predict(IMAGES / np.float32(255), verbose=0)
    return outputs.mean(axis=tuple(range(outputs.ndim - 1)))


@pytest.mark.parametrize(
    ("build", "first", "last"),
    [
        (simple_cnn, "block1_conv1", "logits"),
        pytest.param(resnet18, "stem_bn", "logits", marks=pytest.mark.slow),
    ],
)
def test_mean_outputs_stay_the_same(build, first, last):
    keras.utils.set_random_seed(0)
    model = build()
    before = model.get_weights()
    corrected = bias.corrected(model, IMAGES)
    for ours, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, was)

    def shift(of: keras.Model, layer: str) -> float:
        return np.abs(mean_outputs(rounded(of), layer) - mean_outputs(model, layer)).max()

    assert shift(corrected, first) < 0.01 * shift(model, first)
    assert shift(corrected, last) < 0.5 * shift(model, last)  # its inputs are rounded too


def test_only_biases_change():
    model = simple_cnn()
    for ours, was in zip(bias.corrected(model, IMAGES).weights, model.weights, strict=True):
        assert np.array_equal(ours, was) is ("bias" not in was.path)
