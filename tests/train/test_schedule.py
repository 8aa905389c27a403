"""The course of a run: learning rates, resolutions, the time left."""

import dataclasses

import numpy as np
import pytest

from train.checkpoint import State
from train.recipes import RECIPES
from train.schedule import learning_rate, resolution, seconds_left

UNTAUGHT, RESNET = RECIPES["cnn", "untaught"], RECIPES["resnet18", "best"]


def rates(recipe, steps=10):
    """Return the learning rate of every step of a run."""
    epochs = range(recipe.epochs)
    return [learning_rate(recipe, State(epoch=e), s, steps) for e in epochs for s in range(steps)]


def test_one_cycle_rises_and_falls_to_zero():
    cycle = rates(UNTAUGHT)
    peak = int(UNTAUGHT.warm_up * len(cycle))
    assert max(cycle) == pytest.approx(UNTAUGHT.learning_rate, rel=0.02)
    assert (np.diff(cycle[:peak]) > 0).all()
    assert (np.diff(cycle[peak:]) < 0).all()
    assert 0 < cycle[-1] < 0.01 * UNTAUGHT.learning_rate


def test_restarts_follow_a_whole_cycle():
    """A further cycle leaves the rates before it as they are, so a finished run can add one."""
    once = dataclasses.replace(UNTAUGHT, epochs=8)
    twice = dataclasses.replace(UNTAUGHT, epochs=12, restarts=((4, 0.05),))
    thrice = dataclasses.replace(UNTAUGHT, epochs=14, restarts=((4, 0.05), (2, 0.03)))
    assert rates(twice)[:80] == rates(once)
    assert rates(thrice)[:120] == rates(twice)
    for cycle, highest in ((rates(twice)[80:], 0.05), (rates(thrice)[120:], 0.03)):
        assert cycle[0] == pytest.approx(highest, rel=0.03)
        assert (np.diff(cycle) < 0).all()
        assert 0 < cycle[-1] < 0.03 * highest


@pytest.mark.parametrize(("epoch", "side"), [(0, 16), (4, 16), (5, 24), (12, 24), (13, None)])
def test_low_resolution_comes_first(epoch, side):
    assert resolution(RESNET, epoch) == side


def test_the_time_left_counts_pixels():
    """Two of four epochs ran at half the side, so the others take four times as long."""
    recipe = dataclasses.replace(RESNET, epochs=4, restarts=(), low_resolution=((2, 16),))
    left = seconds_left(recipe, State(epoch=2, seconds=120.0), full_side=32)
    assert left == pytest.approx(480)
