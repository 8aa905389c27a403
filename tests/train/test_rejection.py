"""How well scores tell the classes from outliers."""

import numpy as np
import pytest

from train import rejection


def scores(best):
    """Return scores of two classes, the first of which scores highest."""
    best = np.array(best, float)
    return np.stack([best, 1 - best], axis=1)


def test_the_threshold_keeps_the_share_of_the_held_out_images():
    held_out = scores(np.linspace(0.5, 1, 101))
    lowest = rejection.threshold(held_out)
    assert rejection.accepted(held_out, lowest) >= 0.95
    assert rejection.accepted(held_out, lowest + 1e-9) < 0.95
    assert rejection.threshold(scores([0.9] * 10 + [0.6])) == 0.6  # 10 of 11 are too few


@pytest.mark.parametrize(
    ("inside", "outside", "expected"),
    [
        ([0.9, 0.8], [0.7, 0.6], 1),
        ([0.6], [0.7, 0.8], 0),
        ([0.7, 0.9], [0.7, 0.8], (0.5 + 0 + 1 + 1) / 4),
    ],
)
def test_auroc_is_the_share_of_pairs_in_the_right_order(inside, outside, expected):
    assert rejection.auroc(scores(inside), scores(outside)) == expected


def test_figures_are_of_each_source():
    held_out = scores([0.8] * 19 + [0.55])
    figures = rejection.figures(
        held_out, scores([0.9, 0.7]), {"a": scores([0.95, 0.6, 0.6, 0.6]), "b": scores([0.5])}
    )
    assert (figures["threshold"], figures["test_accepted"]) == (0.8, 0.5)
    assert figures["outliers"]["a"]["accepted"] == 0.25
    assert figures["outliers"]["a"]["images"] == 4
    assert figures["outliers"]["a"]["auroc"] == (3 + 3) / 8
    low, high = figures["outliers"]["a"]["accepted_interval_95"]
    assert 0 < low < 0.25 < high < 1
    assert figures["outliers"]["b"]["accepted"] == 0
