import numpy as np
import pytest

from benchmarks.teaching.noise import find_changed


def test_changed_labels_are_found_where_classes_differ(make_pool):
    pool = make_pool(a_class=20, differ=slice(0, 32))
    before, done = pool.labels.copy(), []
    row = find_changed(pool, 0.1, 3, lambda: done.append(1))
    assert len(done) == 3
    assert (row.photographs, row.changed) == (60, 6)
    assert row.recall > 0.8
    assert row.innocent < 0.4
    assert 6 * row.recall == pytest.approx((1 - row.innocent) * row.suspects)
    assert row.suspects_unchanged == 0
    assert np.array_equal(pool.labels, before)


def test_they_are_not_found_where_classes_do_not_differ(make_pool):
    row = find_changed(make_pool(a_class=20, differ=slice(0, 0)), 0.1, 3, lambda: None)
    assert row.recall < 0.6


def test_at_least_one_label_is_changed(make_pool):
    row = find_changed(make_pool(a_class=10, differ=slice(0, 32)), 0.001, 1, lambda: None)
    assert row.changed == 1
