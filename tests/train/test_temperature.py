"""Fitting a temperature and folding it in."""

import numpy as np
import pytest

from edge_runtime.support.metrics import cross_entropy, expected_calibration_error
from train import temperature
from train.architectures import simple_cnn


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def drawn(images=20_000):
    """Return random logits, and labels drawn with the probabilities that they give."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (images, 10))
    labels = (softmax(logits).cumsum(axis=1) < rng.random((images, 1))).sum(axis=1)
    return logits, np.minimum(labels, 9)


@pytest.mark.parametrize("off_by", [0.4, 1.0, 2.5])
def test_the_temperature_that_distorted_the_scores_is_found(off_by):
    logits, labels = drawn()
    distorted = softmax(logits / off_by)  # overconfident below 1, underconfident above
    degree = temperature.fit(distorted, labels)
    assert degree == pytest.approx(1 / off_by, rel=0.03)
    calibrated = softmax(np.log(distorted) / degree)
    assert expected_calibration_error(calibrated, labels) < 0.01
    if off_by != 1:
        assert expected_calibration_error(distorted, labels) > 0.1
    for other in (0.9 * degree, 1.1 * degree):
        assert cross_entropy(softmax(np.log(distorted) / other), labels) > cross_entropy(
            calibrated, labels
        )


@pytest.mark.parametrize("sure", [0.6, 1.0])
def test_no_temperature_is_fitted_if_all_images_are_right(sure):
    labels = np.arange(60) % 10
    scores = np.full((60, 10), (1 - sure) / 9)
    scores[np.arange(60), labels] = sure
    assert temperature.fit(scores, labels) is None


@pytest.mark.parametrize(("images", "enough"), [(49, False), (50, True)])
def test_a_temperature_needs_50_images(images, enough):
    logits, labels = drawn(images)
    assert (temperature.fit(softmax(logits), labels) is not None) == enough


def test_folding_divides_the_logits():
    model = simple_cnn()
    images = np.random.default_rng(0).random((8, 32, 32, 3), np.float32)
    before = np.asarray(model(images))
    temperature.fold(model, 0.5)
    after = np.asarray(model(images))
    np.testing.assert_allclose(after, softmax(np.log(before) / 0.5), atol=1e-6)
    np.testing.assert_array_equal(after.argmax(axis=1), before.argmax(axis=1))
