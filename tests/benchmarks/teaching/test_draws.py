import numpy as np
import pytest

from benchmarks.teaching.draws import compare_heads, halve

LABELS = np.array([0] * 5 + [1] * 8)


def test_halves_share_no_photograph_and_are_those_of_each_class():
    halves = halve(LABELS, 2, draw=0)
    learn_from = halves.learn_from(100)
    assert sorted([*learn_from, *halves.test]) == list(range(13))
    assert np.bincount(LABELS[learn_from]).tolist() == [3, 4]


def test_two_photographs_of_a_class_are_both_learnt_from():
    halves = halve(np.array([0, 0, 1, 1, 1, 1]), 2, draw=0)
    assert sorted(halves.learn_from(2)[:2]) == [0, 1]
    assert len(halves.test) == 2


def test_fewer_photographs_are_some_of_more():
    halves = halve(LABELS, 2, draw=0)
    fewer = halves.learn_from(2)
    assert np.bincount(LABELS[fewer]).tolist() == [2, 2]
    assert set(fewer) < set(halves.learn_from(3))


def test_draws_differ_and_can_be_repeated():
    first, again, second = (halve(LABELS, 2, draw).test.tolist() for draw in (0, 0, 1))
    assert first == again
    assert first != second


def test_classes_that_differ_in_the_last_layer_are_learnt_by_both_heads(make_pool):
    pool = make_pool(a_class=16, differ=slice(0, 24), length=5)
    done = []
    few, many = compare_heads(pool, [4, 8], 3, lambda: done.append(1))
    assert len(done) == 3
    assert (few.photographs, few.learnt_from) == (4, 12)
    assert (many.photographs, many.learnt_from) == (8, 24)
    assert many.tests == 3 * 24
    assert many.top1 > 0.7
    assert many.ridge_top1 > 0.7
    assert many.expected > 0.6
    assert many.agreement > 0.9
    assert few.interval_width > many.interval_width > 0


def test_only_our_head_sees_what_differs_in_an_earlier_layer(make_pool):
    (row,) = compare_heads(make_pool(a_class=16, differ=slice(24, 32)), [8], 4, lambda: None)
    assert row.top1 > 0.8
    assert row.ridge_top1 < 0.5
    low, high = row.gain_interval
    assert row.gain == pytest.approx(100 * (row.top1 - row.ridge_top1))
    assert 0 < low < row.gain < high
    assert row.gain_spread > 0
    assert row.interval_holds == 1


def test_classes_that_do_not_differ_are_guessed(make_pool):
    (row,) = compare_heads(make_pool(a_class=40, differ=slice(0, 0)), [20], 4, lambda: None)
    assert 0.15 < row.top1 < 0.5
    low, high = row.gain_interval
    assert low < 0 < high
