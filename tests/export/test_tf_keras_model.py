"""A network rebuilt in tf_keras gives the same scores."""

import keras
import numpy as np
import pytest

from export import committed
from train import weights
from train.architectures import resnet18, simple_cnn

tf_keras_model = pytest.importorskip("export.tf_keras_model")


def shipped_cnn():
    model = simple_cnn()
    weights.load(model, weights.SHIPPED / "cnn.safetensors")
    return model


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def random_resnet18(**options):
    """Return a ResNet18 whose BatchNorms have random statistics, so folding changes kernels."""
    keras.utils.set_random_seed(0)
    model = resnet18(**options)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.gamma.shape
            spread = [rng.uniform(0.5, 1.5, shape) for _ in range(2)]
            layer.set_weights(
                [spread[0], rng.normal(0, 0.1, shape), *rng.normal(0, 0.1, (1, *shape)), spread[1]]
            )
    return model


@pytest.mark.parametrize(
    "build", [shipped_cnn, random_resnet18, lambda: random_resnet18(stem="imagenet")]
)
def test_it_gives_the_same_scores_without_any_batch_norm(build):
    model = build()
    rebuilt = tf_keras_model.build(model)
    images = committed.read().train.images[:32].astype(np.float32) / 255
    expected = model.predict_on_batch(images)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(softmax(rebuilt.predict_on_batch(images)), expected, atol=1e-5)
    assert not [x for x in rebuilt.layers if "BatchNorm" in type(x).__name__]
