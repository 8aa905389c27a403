import math

import numpy as np
import pytest

from edge_runtime.support.metrics import (
    confusion_matrix,
    discordant,
    drop_interval,
    error_bound,
    mcnemar_p,
    per_class_accuracy,
    top1,
    wilson_interval,
)


def test_top1_counts_the_largest_score():
    scores = np.array([[0.1, 0.9], [0.6, 0.4], [0.2, 0.8]])
    assert top1(scores, np.array([1, 1, 1])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("labels", [[], [0]])
def test_top1_rejects_other_lengths(labels):
    with pytest.raises(ValueError, match="as many labels"):
        top1(np.zeros((len(labels) * 2, 2)), np.array(labels, int))


def test_wilson_interval_against_published_values():
    # Newcombe 1998, Statistics in Medicine 17, 857-872, table I, method 3
    assert wilson_interval(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15 / 148, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0 / 20, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_interval(1 / 29, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_wilson_interval_needs_images():
    with pytest.raises(ValueError, match="positive number of images"):
        wilson_interval(0.5, 0)


def test_confusion_matrix_has_true_classes_in_rows():
    matrix = confusion_matrix(np.array([0, 1, 1]), np.array([0, 0, 2], np.uint8), 3)
    assert matrix.tolist() == [[1, 1, 0], [0, 0, 0], [0, 1, 0]]


def test_discordant_images_are_told_apart():
    labels = np.array([0, 0, 1, 1, 1])
    first = np.eye(2)[[0, 0, 0, 1, 0]]
    second = np.eye(2)[[0, 1, 1, 1, 0]]
    assert discordant(first, second, labels) == (1, 1)
    assert discordant(first, first, labels) == (0, 0)
    assert discordant(np.eye(2)[labels], 1 - np.eye(2)[labels], labels) == (5, 0)


@pytest.mark.parametrize(("lost", "gained"), [(0, 0), (3, 3), (2, 9), (9, 2), (0, 6), (700, 600)])
def test_mcnemar_is_the_exact_binomial_test(lost, gained):
    stats = pytest.importorskip("scipy.stats")
    expected = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1
    assert mcnemar_p(lost, gained) == pytest.approx(expected)


def test_drop_interval_by_hand():
    # (lost - gained) / (n + 2) = 8 / 102; variance (13 / 102 - (8 / 102)^2) / 102
    low, high = drop_interval(10, 2, 100)
    assert (low + high) / 2 == pytest.approx(8 / 102)
    assert (high - low) / 2 == pytest.approx(1.959964 * ((13 / 102 - (8 / 102) ** 2) / 102) ** 0.5)
    assert drop_interval(2, 10, 100) == pytest.approx((-high, -low))
    with pytest.raises(ValueError, match="positive number of images"):
        drop_interval(0, 0, 0)


def test_drop_interval_covers_the_true_drop_in_95_of_100():
    """10,000 images of which 0.5 % are lost and 0.3 % gained, as int8 may do."""
    rng = np.random.default_rng(0)
    draws = rng.multinomial(10_000, [0.005, 0.003, 0.992], 2000)
    bounds = [drop_interval(int(lost), int(gained), 10_000) for lost, gained, _ in draws]
    assert 0.935 < np.mean([low <= 0.002 <= high for low, high in bounds]) < 0.965


def test_per_class_accuracy():
    confusion = np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]])
    assert per_class_accuracy(confusion).tolist() == [0.75, 1, 0]


@pytest.mark.parametrize(("wrong", "images"), [(0, 60), (3, 179), (17, 1000), (400, 10_000)])
def test_error_bound_is_where_so_few_errors_become_rare(wrong, images):
    """At the bound, as few errors or fewer come up in one of 20 cases (exact binomial)."""
    share = error_bound(wrong, images)
    terms = [
        math.exp(
            math.lgamma(images + 1)
            - math.lgamma(k + 1)
            - math.lgamma(images - k + 1)
            + k * math.log(share)
            + (images - k) * math.log1p(-share)
        )
        for k in range(wrong + 1)
    ]
    assert sum(terms) == pytest.approx(0.05, rel=1e-6)


def test_error_bound_at_its_ends():
    assert error_bound(5, 5) == 1.0
    with pytest.raises(ValueError, match="Expected 0 to 0 wrong images"):
        error_bound(0, 0)
