"""Photographs that look mislabelled."""

from types import SimpleNamespace

import numpy as np
import pytest

from edge_runtime.inputs.class_folders import Photograph
from edge_runtime.teaching.summary import mislabelled
from edge_runtime.teaching.suspects import Suspect, find_suspects


def simulated(flipped, *, classes=6, count=900, seed=0, sharpness=4.0):
    """Return calibrated scores, labels of which a share is wrong, and which are."""
    rng = np.random.default_rng(seed)
    logits = sharpness * rng.normal(size=(count, classes))
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(classes, p=row) for row in scores])
    wrong = rng.random(count) < flipped
    labels = np.where(wrong, (truth + rng.integers(1, classes, count)) % classes, truth)
    return scores.astype(np.float32), labels, wrong, truth


@pytest.mark.parametrize("flipped", [0.05, 0.1, 0.2])
def test_flipped_labels_are_found(flipped):
    recalls, precisions = [], []
    for seed in range(5):
        scores, labels, wrong, _ = simulated(flipped, seed=seed)
        suspects, share = find_suspects(scores, labels)
        listed = np.zeros(len(labels), bool)
        listed[[s.photograph for s in suspects]] = True
        recalls.append((listed & wrong).sum() / wrong.sum())
        precisions.append((listed & wrong).sum() / max(listed.sum(), 1))
        assert abs(share - flipped) < 0.03
    assert np.mean(recalls) > 0.6
    assert np.mean(precisions) > 0.6


def test_hardly_a_clean_label_is_suspected():
    scores, labels, _, _ = simulated(0)
    suspects, share = find_suspects(scores, labels)
    assert len(suspects) < 0.01 * len(labels)
    assert share < 0.02


def test_overconfident_scores_do_not_make_suspects():
    """Scores of photographs that were learnt by heart are too high; their temperature is found."""
    scores, labels, _, _ = simulated(0, sharpness=2.0)
    sharper = scores**3
    sharper /= sharper.sum(axis=1, keepdims=True)
    assert len(find_suspects(sharper, labels)[0]) < 0.02 * len(labels)


def test_the_most_probable_come_first_with_the_class_that_they_look_like():
    scores, labels, wrong, truth = simulated(0.05)
    suspects, _ = find_suspects(scores, labels)
    probabilities = [s.probability for s in suspects]
    assert probabilities == sorted(probabilities, reverse=True)
    assert all(s.looks_like != labels[s.photograph] for s in suspects)
    found = [s.looks_like == truth[s.photograph] for s in suspects if wrong[s.photograph]]
    assert np.mean(found) > 0.7


def test_two_classes_and_no_photographs_are_enough():
    scores = np.array([[0.99, 0.01]] * 50 + [[0.01, 0.99]] * 50, np.float32)
    labels = np.repeat([0, 1], 50)
    labels[7] = 1
    (suspect,) = find_suspects(scores, labels)[0]
    assert (suspect.photograph, suspect.looks_like) == (7, 0)
    assert find_suspects(scores[:0], labels[:0]) == ([], 0.0)


def test_a_class_of_few_photographs_has_no_suspects():
    """Without one of two photographs, the other looks like another class."""
    labels = [0] * 4 + [1] * 5
    photographs = tuple(Photograph(f"{at}.png", label) for at, label in enumerate(labels))
    learnt = SimpleNamespace(suspects=[Suspect(0, 1, 0.99), Suspect(4, 0, 0.9)])
    assert [found.path for found in mislabelled(learnt, photographs, ("a", "b"))] == ["4.png"]
