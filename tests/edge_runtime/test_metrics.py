import numpy as np
import pytest

from edge_runtime.metrics import confusion_matrix, top1, wilson_interval


def test_top1_counts_the_largest_score():
    scores = np.array([[0.1, 0.9], [0.6, 0.4], [0.2, 0.8]])
    assert top1(scores, np.array([1, 1, 1])) == pytest.approx(2 / 3)


@pytest.mark.parametrize("labels", [[], [0]])
def test_top1_refuses_other_lengths(labels):
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
