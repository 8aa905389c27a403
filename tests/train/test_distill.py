"""The distillation loss against its formula in numpy."""

import numpy as np
import pytest

from train import distill
from train.views import View


def softmax(logits):
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


LABELS = np.eye(4, dtype=np.float32)
RNG = np.random.default_rng(0)
STUDENT, TEACHER = RNG.normal(0, 3, (2, 4, 4)).astype(np.float32)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
@pytest.mark.parametrize("weight", [0.0, 0.9, 1.0])
def test_the_loss_equals_its_formula(temperature, weight):
    view = View(np.zeros((4, 32, 32, 3), np.uint8), LABELS)
    targets = distill.targets(view, np.log(softmax(TEACHER)))
    loss = distill.DistillationLoss(temperature, weight)
    actual = np.asarray(loss.call(targets, softmax(STUDENT)))
    hard = -np.log(softmax(STUDENT)).diagonal()
    teacher, student = softmax(TEACHER / temperature), softmax(STUDENT / temperature)
    soft = (teacher * np.log(teacher / student)).sum(axis=1)
    expected = (1 - weight) * hard + weight * temperature**2 * soft
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


def test_the_loss_is_zero_for_a_student_equal_to_its_teacher():
    scores = softmax(TEACHER)
    targets = np.stack([LABELS, np.log(scores)], axis=1)
    loss = np.asarray(distill.DistillationLoss(4.0, 1.0).call(targets, scores))
    np.testing.assert_allclose(loss, 0, atol=1e-5)


def test_scores_of_zero_give_a_finite_loss():
    sure = np.array([[1, 0, 0, 0]], np.float32)
    targets = np.stack([sure, np.log(np.maximum(sure, 1e-30))], axis=1)
    loss = np.asarray(distill.DistillationLoss(4.0, 0.9).call(targets, sure[:, ::-1]))
    assert np.isfinite(loss).all()
    assert loss > 1


def test_top1_compares_with_the_labels():
    targets = np.stack([LABELS, np.roll(LABELS, 1, axis=1)], axis=1)
    assert np.asarray(distill.top1(targets, LABELS)).tolist() == [True] * 4
    assert np.asarray(distill.top1(targets, np.roll(LABELS, 1, axis=1))).tolist() == [False] * 4
