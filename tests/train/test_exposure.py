"""The loss of a batch with outliers."""

import keras
import numpy as np
import pytest

from train import distill, exposure

rng = np.random.default_rng(0)
SCORES = rng.dirichlet(np.ones(4), 7).astype(np.float32)  # five images, two outliers
LABELS = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0]]
UNIFORM = -np.log(SCORES[5:]).mean(axis=1)


def test_the_loss_is_the_images_plus_the_weighted_cross_entropy_with_equal_scores():
    loss = exposure.OutlierExposure(keras.losses.CategoricalCrossentropy(), 0.5)
    found = float(loss(exposure.targets(LABELS, 2), SCORES))
    of_images = -np.log((SCORES[:5] * LABELS).sum(axis=1)).mean()
    assert found == pytest.approx(of_images + 0.5 * UNIFORM.mean(), rel=1e-5)


def test_the_loss_of_the_images_may_be_distillation():
    teacher = np.log(rng.dirichlet(np.ones(4), 5)).astype(np.float32)
    both = np.stack([LABELS, teacher], axis=1)
    of_images = distill.DistillationLoss(4.0, 0.9)
    loss = exposure.OutlierExposure(of_images, 2.0)
    found = float(loss(exposure.targets(both, 2), SCORES))
    expected = float(of_images(both, SCORES[:5])) + 2 * UNIFORM.mean()
    assert found == pytest.approx(expected, rel=1e-5)


def test_equal_scores_are_the_least_loss_of_an_outlier():
    loss = exposure.OutlierExposure(keras.losses.CategoricalCrossentropy(), 1.0)
    targets = exposure.targets(LABELS[:1], 1)
    image = LABELS[:1] * 0.97 + 0.01
    equal = float(loss(targets, np.vstack([image, np.full((1, 4), 0.25)])))
    for other in ([0.4, 0.2, 0.2, 0.2], [0.3, 0.3, 0.2, 0.2], [0.97, 0.01, 0.01, 0.01]):
        assert float(loss(targets, np.vstack([image, [other]]))) > equal


@pytest.mark.parametrize("rows", [1, 2])
def test_top1_counts_images_alone(rows):
    of_images = LABELS if rows == 1 else np.stack([LABELS, LABELS], axis=1)
    top1 = keras.metrics.categorical_accuracy if rows == 1 else distill.top1
    right = np.asarray(exposure.images_only(top1)(exposure.targets(of_images, 2), SCORES))
    expected = SCORES[:5].argmax(axis=1) == LABELS.argmax(axis=1)
    np.testing.assert_array_equal(right, [*expected, 0, 0])
