"""Recipes, and their variants without an improvement, in fewer epochs or cycles."""

from dataclasses import replace

import pytest

from train.build import training_network
from train.recipe import IMPROVEMENTS
from train.recipes import RECIPES

CNN, RESNET = RECIPES["cnn", "best"], RECIPES["resnet18", "best"]


@pytest.mark.parametrize("improvement", IMPROVEMENTS)
def test_every_improvement_can_be_left_out_of_some_recipe(improvement):
    having = []
    for recipe in (*RECIPES.values(), CNN.with_outliers()):
        try:
            plain = recipe.without(improvement)
        except ValueError as exc:
            assert str(exc) == f"this recipe has no {improvement} to leave out"
            continue
        having.append(recipe)
        changed = recipe.choices().keys() ^ plain.choices().keys()
        assert changed <= {*IMPROVEMENTS[improvement], "training_form"}
        with pytest.raises(ValueError, match=improvement):
            plain.without(improvement)
    assert having
    assert RECIPES["cnn", "seed"] not in having


def test_without_norm_there_are_no_branches_either():
    assert training_network(CNN.without("norm")).count_params() == 551_466
    assert (
        training_network(CNN.without("branches")).count_params()
        < training_network(CNN).count_params()
    )


def test_without_changes_nothing_else():
    plain = CNN.without("mixup")
    assert (plain.mixup, plain.soften, plain.teacher) == (0, 0.5, "resnet18")
    assert RESNET.without("low-resolution").low_resolution == ()


def test_outliers_are_a_term_of_any_recipe():
    with_outliers = CNN.with_outliers()
    assert (CNN.takes_outliers, with_outliers.takes_outliers) == (False, True)
    assert (CNN.outliers_of(128), with_outliers.outliers_of(128)) == (0, 64)
    assert with_outliers.outliers_of(1) == 1
    surrounded = with_outliers.without("outliers")  # which takes them from outliers
    assert (surrounded.takes_outliers, surrounded.outliers_of(128)) == (True, 0)
    assert not surrounded.without("surroundings").takes_outliers


def test_in_epochs_gives_one_cycle_with_scaled_resolutions():
    short = RESNET.in_epochs(10)
    assert RESNET.restarts
    assert short.epochs == 10
    assert short.choices().keys() ^ RESNET.choices().keys() == {"restarts"}
    first = RESNET.epochs - sum(epochs for epochs, _ in RESNET.restarts)
    assert RESNET.in_epochs(first).low_resolution == RESNET.low_resolution
    assert [side for _, side in short.low_resolution] == [16, 24]
    assert sum(epochs for epochs, _ in short.low_resolution) < 10
    assert RESNET.in_epochs(1).low_resolution == ()


def test_the_recipe_until_an_epoch_lacks_later_cycles():
    once = RESNET.in_epochs(8)
    twice = replace(once, epochs=12, restarts=((4, 0.05),))
    thrice = replace(once, epochs=14, restarts=((4, 0.05), (2, 0.03)))
    assert [thrice.until(epoch) for epoch in (0, 8, 9, 12, 13, 14)] == [
        once, once, twice, twice, thrice, thrice,
    ]  # fmt: skip
    assert once.until(1) == once
