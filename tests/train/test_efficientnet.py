"""EfficientNet-Lite0: its parameters, and its committed weights against the original network.

`python -m train.convert_efficientnet` wrote the weights and the reference outputs; see there.
"""

import hashlib
import json

import keras
import numpy as np
import pytest

from train import weights
from train.convert_efficientnet import CHECKPOINT, REFERENCE
from train.efficientnet import FEATURE_BLOCKS, FEATURES, NAME, efficientnet_lite0, feature_extractor
from train.efficientnet_original import SHA256, reference_images


@pytest.fixture(scope="module")
def network():
    model = efficientnet_lite0()
    weights.load(model, CHECKPOINT)
    return model


@pytest.fixture(scope="module")
def reference():
    """What the original network gives for the reference images, and where it comes from."""
    tensors, metadata = weights.read(REFERENCE)
    return tensors, json.loads(metadata["about"])


@pytest.fixture(scope="module")
def features(network):
    images = reference_images().astype(np.float32)
    last = keras.Model(network.input, network.get_layer("pool").output)
    return np.asarray(last(images, training=False))


@pytest.fixture(scope="module")
def scores(network):
    return np.asarray(network(reference_images().astype(np.float32), training=False))


def trainable_parameters(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_it_has_the_published_number_of_parameters(network):
    assert trainable_parameters(network) == 4_652_008
    assert network.count_params() == 4_694_024
    # The last layer has a weight for each feature and class, and a bias for each class.
    assert trainable_parameters(feature_extractor(network)) == 4_652_008 - 1281 * 1000
    assert trainable_parameters(efficientnet_lite0(7)) == 4_652_008 - 1281 * 993


def test_the_reference_is_of_these_images_and_weights(reference):
    _, about = reference
    assert about["images_sha256"] == hashlib.sha256(reference_images().tobytes()).hexdigest()
    assert about["sha256"] == weights.about(CHECKPOINT)["sha256"] == SHA256
    assert weights.about(CHECKPOINT)["network"] == NAME


def test_features_equal_the_original_network_s_with_the_same_weights(features, reference):
    """Both compute in float32 and sum in another order, which changes a feature by 1e-5.

    Equal padding on both sides at stride 2 would change one by 2.4, and an epsilon of 1e-5 in
    BatchNorm by 1.2.
    """
    tensors, _ = reference
    assert features.shape == (6, FEATURES)
    np.testing.assert_allclose(features, tensors["rounded_features"], atol=1e-4)


def test_scores_equal_the_original_network_s_with_the_same_weights(scores, reference):
    tensors, _ = reference
    np.testing.assert_allclose(scores, softmax(tensors["rounded_logits"]), atol=1e-4)


def test_float16_weights_are_close_to_the_published_ones(features, scores, reference):
    """Float16 keeps 11 bits, so that each of 50 layers errs by up to 2^-12 of its weights.

    Together they turned a photograph's features by 1 - 7e-6 in cosine, and those of an enlarged
    CIFAR-10 image, which no training image resembles, by 1 - 1.2e-4.
    """
    tensors, _ = reference
    norms = np.linalg.norm(features, axis=1) * np.linalg.norm(tensors["features"], axis=1)
    cosines = (features * tensors["features"]).sum(axis=1) / norms
    assert cosines[:3].min() >= 0.99998
    assert cosines.min() >= 0.9998
    np.testing.assert_array_equal(scores.argmax(axis=1), tensors["logits"].argmax(axis=1))
    np.testing.assert_allclose(scores, softmax(tensors["logits"]), atol=0.02)


def test_it_sees_a_cat(scores):
    """Classes 281 to 285 of ImageNet are the domestic cats."""
    assert {*scores[:3].argmax(axis=1)} <= {281, 282, 283, 284, 285}


@pytest.mark.parametrize("side", [128, 160, 192])
def test_other_resolutions_have_the_same_weights(network, side):
    model = efficientnet_lite0(side=side)
    flexible = efficientnet_lite0(side=None)
    for each in (model, flexible):
        each.set_weights(network.get_weights())
    images = reference_images()[:1, :side, :side].astype(np.float32)
    np.testing.assert_allclose(model(images), flexible(images), atol=1e-6)


def test_it_classifies_by_the_features_of_five_layers(features):
    model = efficientnet_lite0(3, stage_features=True)
    weights_of_network = {w.path: w for w in model.weights}
    tensors, _ = weights.read(CHECKPOINT)
    assert {*tensors} == {*weights_of_network}  # only the last layer has another shape
    for name, weight in weights_of_network.items():
        if not name.startswith("logits/"):
            weight.assign(tensors[name].astype(np.float32))
    images = reference_images()[:2].astype(np.float32)
    found = np.asarray(feature_extractor(model)(images))
    assert found.shape == (2, sum(block.channels for block in FEATURE_BLOCKS))
    np.testing.assert_allclose(
        found[:, :FEATURES] * FEATURE_BLOCKS[0].size, features[:2], atol=1e-4
    )
    kernel, bias = model.get_layer("logits").get_weights()
    np.testing.assert_allclose(model(images), softmax(found @ kernel + bias), atol=1e-5)
    assert trainable_parameters(model) == 4_652_008 - 1281 * 1000 + 1985 * 3


def test_features_in_bfloat16_are_close_to_float32(features):
    fast = efficientnet_lite0(precision="bfloat16")
    weights.load(fast, CHECKPOINT)
    assert fast.get_layer("stage1_block1_depthwise_conv").compute_dtype == "bfloat16"
    images = reference_images().astype(np.float32)
    last = keras.Model(fast.input, fast.get_layer("pool").output)
    rounded = np.asarray(last(images, training=False)).astype(np.float32)
    products = (features * rounded).sum(axis=1)
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(rounded, axis=1)
    # bfloat16 keeps 8 bits. Float16, which keeps 11, turned features by 1 - 7e-6 in cosine.
    assert 1e-6 < 1 - (products / lengths).min() < 0.02
