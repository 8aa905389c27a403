"""The intervals hold the truth as often as they say, also for images that come in classes."""

import numpy as np
import pytest

from benchmarks.trust import intervals
from edge_runtime.support.metrics import calibration_error, wilson_interval
from train.rejection import auroc as rejection_auroc

DRAWS = 300


def holds(truth, interval) -> bool:
    return interval[0] <= truth <= interval[1]


def scores_in_classes(rng, classes: int, images: int):
    """Scores of images whose classes differ, and the number of each image's class."""
    groups = np.repeat(np.arange(classes), images)
    return 0.5 + 0.1 * rng.normal(size=classes)[groups] + 0.05 * rng.normal(
        size=len(groups)
    ), groups


def test_a_share_of_independent_images_has_wilsons_interval():
    hits = np.arange(50) < 20
    assert intervals.share_interval(hits) == wilson_interval(0.4, 50)
    low, high = intervals.share_interval(hits, np.arange(50))  # one image a class
    assert (low, high) == pytest.approx(wilson_interval(0.4, 50), abs=0.01)


def test_the_interval_of_a_share_counts_classes():
    """The truth is a half. Intervals that count images miss it in most draws."""
    rng = np.random.default_rng(0)
    by_class = by_image = 0
    for _ in range(DRAWS):
        scores, groups = scores_in_classes(rng, 30, 50)
        hits = scores >= 0.5
        by_class += holds(0.5, intervals.share_interval(hits, groups))
        by_image += holds(0.5, intervals.share_interval(hits))
    assert 0.9 < by_class / DRAWS < 0.99
    assert by_image / DRAWS < 0.5


@pytest.mark.parametrize(("hits", "end"), [(np.zeros(60, bool), 0), (np.ones(60, bool), 1)])
def test_the_interval_of_no_image_or_of_all_is_that_of_the_classes(hits, end):
    interval = intervals.share_interval(hits, np.repeat(np.arange(6), 10))
    assert interval == wilson_interval(end, 6)


def test_images_of_a_single_class_count_as_independent():
    values = np.random.default_rng(0).normal(size=40)
    found = intervals.mean_variance(values, np.zeros(40, int))
    assert found == pytest.approx(values.var(ddof=1) / 40)


def test_the_auroc_is_that_of_training_and_its_interval_holds_the_truth():
    """Inside N(1, 1) and outside N(0, 1): the AUROC is the normal distribution at 1/sqrt(2)."""
    truth, rng, held = 0.76025, np.random.default_rng(1), 0
    for _ in range(DRAWS):
        inside, outside = rng.normal(1, 1, 80), rng.normal(0, 1, 60)
        area, interval = intervals.auroc(inside, outside, np.arange(60))
        held += holds(truth, interval)
    assert area == pytest.approx(rejection_auroc(inside[:, np.newaxis], outside[:, np.newaxis]))
    assert 0.92 < held / DRAWS < 0.985


def test_the_interval_of_the_auroc_counts_classes():
    rng = np.random.default_rng(2)
    inside = rng.normal(0.6, 0.1, 2000)
    outside, groups = scores_in_classes(rng, 20, 50)
    width = [np.diff(intervals.auroc(inside, outside, g)[1])[0] for g in (groups, np.arange(1000))]
    assert width[0] > 3 * width[1]


def test_scores_that_do_not_overlap_have_an_auroc_of_1():
    one, other = np.array([0.8, 0.9]), np.array([0.1, 0.2, 0.3])
    assert intervals.auroc(one, other, np.arange(3)) == (1, (1, 1))


def test_a_gain_of_the_auroc_is_paired():
    """Both models see the same images, so most of what varies is common to them."""
    rng = np.random.default_rng(3)
    inside, outside = rng.normal(1, 1, 300), rng.normal(0, 1, 300)
    before, after = (inside, outside), (inside + 0.1, outside)
    gain, interval = intervals.auroc_gain(before, after, np.arange(300))
    alone = [intervals.auroc(*scores, np.arange(300)) for scores in (before, after)]
    assert gain == pytest.approx(alone[1][0] - alone[0][0])
    assert interval[0] > 0
    assert np.diff(interval) < 0.3 * np.diff(alone[0][1])
    assert intervals.auroc_gain(before, before, np.arange(300)) == (0, (0, 0))


def test_a_gain_of_a_share_counts_classes():
    rng = np.random.default_rng(4)
    held = 0
    for _ in range(DRAWS):
        scores, groups = scores_in_classes(rng, 30, 20)
        moved = scores + 0.1 * rng.normal(size=30)[groups]
        held += holds(0, intervals.share_gain(scores >= 0.5, moved >= 0.5, groups)[1])
    assert 0.88 < held / DRAWS < 0.99


def overconfident(rng, images: int):
    """Best scores s of images, each right with the probability s**1.5."""
    best = 1 - rng.exponential(0.08, images).clip(0, 0.9)
    return best, rng.random(images) < best**1.5


def test_the_interval_of_the_calibration_error_holds_the_truth(monkeypatch):
    monkeypatch.setattr(intervals, "_RESAMPLES", 200)
    rng = np.random.default_rng(5)
    truth = calibration_error(*overconfident(rng, 1_000_000))
    held = sum(
        holds(truth, intervals.calibration_interval(*overconfident(rng, 1000)))
        for _ in range(DRAWS // 3)
    )
    assert 0.85 < held / (DRAWS // 3) <= 0.99


def test_a_gain_of_the_calibration_error_is_paired(monkeypatch):
    monkeypatch.setattr(intervals, "_RESAMPLES", 200)
    rng = np.random.default_rng(6)
    best, right = overconfident(rng, 4000)
    gain, (low, high) = intervals.calibration_gain((best, right), (best**1.5, right))
    assert gain == calibration_error(best**1.5, right) - calibration_error(best, right)
    assert low < gain < high < 0
    assert intervals.calibration_gain((best, right), (best, right)) == (0, (0, 0))
