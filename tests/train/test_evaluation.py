"""The figures of a network on a split."""

import dataclasses

import numpy as np
import pytest

from tests.train.small import DATA, split
from train import evaluation, weights
from train.architectures import simple_cnn


def test_loss_and_accuracy_equal_those_of_keras(finished):
    folder, _ = finished
    model = simple_cnn(2)
    weights.load(model, folder / "weights.safetensors")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(DATA.test.images / 255.0, DATA.test.labels, verbose=0)
    ours = evaluation.evaluate(model, DATA.test)
    assert ours.loss == pytest.approx(loss, rel=1e-5)
    assert ours.top1 == pytest.approx(accuracy)


def test_figures_by_class():
    """Twelve images of three classes, of which the network confuses some."""
    labels = np.repeat(np.arange(3, dtype=np.uint8), 4)
    predicted = np.array([0, 0, 0, 1, 0, 0, 1, 1, 2, 2, 2, 2])
    images = dataclasses.replace(split(12, 0), labels=labels)
    figures = evaluation.of_scores(np.eye(3, dtype=np.float32)[predicted], images)
    record = figures.as_json(["cat", "dog", "frog"])
    assert record["top1"] == pytest.approx(9 / 12)
    assert record["per_class"] == {"cat": 0.75, "dog": 0.5, "frog": 1.0}
    assert record["most_confused"] == [{"classes": ["cat", "dog"], "images": 3}]
    assert record["confusion"] == [[3, 1, 0], [2, 2, 0], [0, 0, 4]]
