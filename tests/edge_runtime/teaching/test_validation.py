"""Cross-validation: its folds, and what it chooses."""

import numpy as np
import pytest

from edge_runtime.teaching.learning import expected_interval, learn
from edge_runtime.teaching.validation import (
    STRENGTHS,
    Choice,
    Material,
    assign_folds,
    cross_validate,
    fit_heads,
    learning_curve,
)
from edge_runtime.teaching.views import VIEW_SETS
from tests.edge_runtime.teaching.drawings import draw_classes


def material(count=20, apart=3.0, noise_views=0.1, seed=0, width=40):
    """Two classes with three views; the third one is the mirror image."""
    rng = np.random.default_rng(seed)
    labels = np.arange(2 * count) % 2
    plain = rng.normal(size=(2 * count, width))
    plain[:, 0] += apart * (2 * labels - 1)
    enlarged = plain + noise_views * rng.normal(size=plain.shape)
    features = np.stack([plain, enlarged, plain], axis=1).astype(np.float32)
    return Material(features, labels, 2, 2, assign_folds(labels, np.arange(2 * count)))


@pytest.mark.parametrize("count", [12, 90, 400])
def test_groups_stay_together(count):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, count)
    groups = rng.integers(0, count // 2, count)
    folds = assign_folds(labels, groups)
    for number in np.unique(groups):
        assert len(np.unique(folds[groups == number])) == 1


@pytest.mark.parametrize(("count", "folds"), [(60, 10), (299, 10), (300, 5)])
def test_folds_have_as_many_of_each_class(count, folds):
    labels = np.arange(count) % 3
    found = assign_folds(labels, np.arange(count))
    assert len(np.unique(found)) == folds
    for label in range(3):
        sizes = np.bincount(found[labels == label], minlength=folds)
        assert sizes.max() - sizes.min() <= 1
    sizes = np.bincount(found)
    assert sizes.max() - sizes.min() <= 3


@pytest.mark.parametrize("classes", [2, 7, 300])
def test_two_photographs_of_a_class_are_in_two_folds(classes):
    labels = np.repeat(np.arange(classes), 2)
    folds = assign_folds(labels, np.arange(len(labels)))
    assert (folds[::2] != folds[1::2]).all()


def test_folds_do_not_depend_on_the_run():
    labels = np.arange(50) % 3
    first, second = (assign_folds(labels, np.arange(50)) for _ in range(2))
    assert (first == second).all()


def held_out_loss(given, views, strength):
    """Return the cross-entropy of held-out photographs at the best of many temperatures."""
    logits = np.zeros((len(given.labels), given.classes))
    for fold in np.unique(given.folds):
        inside = given.folds == fold
        (head,) = fit_heads(given.take(~inside), views, [strength])
        logits[inside] = head.logits(given.features[inside, 0])
    losses = []
    for temperature in np.geomspace(0.05, 20, 200):
        scaled = logits / temperature
        logs = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        losses.append(-logs[np.arange(len(logits)), given.labels].mean())
    return min(losses)


@pytest.mark.parametrize("apart", [0.5, 1.0])
def test_views_and_strength_have_the_least_loss_on_held_out_photographs(apart):
    given = material(apart=apart, noise_views=1.0)
    choice = cross_validate(given).choice
    chosen = held_out_loss(given, choice.views, choice.strength)
    for views in VIEW_SETS:
        for strength in STRENGTHS:
            assert chosen <= held_out_loss(given, views, strength) + 0.01


def test_scores_come_from_heads_that_did_not_see_the_photograph():
    """Labels without any relation to the features cannot be guessed, though all can be fitted."""
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], 100)
    features = rng.normal(size=(200, 3, 400)).astype(np.float32)
    chance = Material(features, labels, 2, 2, assign_folds(labels, np.arange(200)))
    validation = cross_validate(chance)
    (head,) = fit_heads(chance, validation.choice.views, [validation.choice.strength])
    fitted = head.logits(features[:, 0]).argmax(axis=1) == labels
    held_out = validation.scores.argmax(axis=1) == labels
    assert fitted.mean() > 0.95
    assert 0.35 < held_out.mean() < 0.65
    assert validation.scores.max(axis=1).mean() < 0.65  # the temperature says so


def test_scores_of_easy_photographs_are_sure_but_not_all_one():
    scores = cross_validate(material(count=8, apart=30)).scores
    assert (scores.argmax(axis=1) == np.arange(16) % 2).all()
    assert 0.8 < scores.max(axis=1).mean() < 0.99


def test_each_fold_is_counted():
    calls = []
    few = material(count=6)
    cross_validate(few, lambda: calls.append(1))
    assert len(calls) == 3 * len(np.unique(few.folds))


def test_mirrored_views_are_not_chosen_for_arrows(tmp_path, embed):
    """A mirrored arrow to the left is one to the right."""
    folder = draw_classes(tmp_path / "arrows", ("left", "right"), count=20)
    features = embed(sorted(folder.glob("*/*.png")))
    labels = np.repeat([0, 1], 20)
    chosen = Material(features, labels, 2, 2, assign_folds(labels, np.arange(40)))
    validation = cross_validate(chosen)
    assert 2 not in validation.choice.views
    assert (validation.scores.argmax(axis=1) == labels).mean() > 0.7


def test_mirrored_views_are_chosen_if_they_help():
    """Where a thing lies differs by accident between the classes; mirrored, it is elsewhere."""
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 2
    signal = (2.0 * labels - 1)[:, np.newaxis] + 0.5 * rng.normal(size=(24, 3))
    place = 3 * rng.normal(size=(24, 40))
    features = [np.concatenate([signal, side * place], axis=1) for side in (1, 1, -1)]
    stacked = np.stack(features, axis=1).astype(np.float32)
    several = Material(stacked, labels, 2, 2, assign_folds(labels, np.arange(24)))
    assert cross_validate(several).choice.views == (0, 1, 2)


def test_counter_examples_have_an_output_of_their_own():
    given = material()
    others = given.features.copy()
    others[:8, :, 1] += 30  # something that none of the classes has
    labels = given.labels.copy()
    labels[:8] = -1
    few = Material(others, labels, 2, 3, assign_folds(labels, np.arange(len(labels))))
    scores = cross_validate(few).scores
    assert scores.shape == (40, 3)
    assert scores[:8, :2].max(axis=1).mean() < 0.3 < 0.6 < scores[8:, :2].max(axis=1).mean()


def test_the_curve_rises_with_photographs():
    hard = material(count=60, apart=1.2)
    curve = learning_curve(hard, Choice((0,), 0.1, 1.0))
    numbers = [number for number, _ in curve]
    assert numbers == [2, 5, 10, 20, 40]
    assert curve[-1][1] > curve[0][1]
    assert all(0 <= accuracy <= 1 for _, accuracy in curve)


def test_the_interval_is_wider_than_that_of_independent_tests():
    low, high = expected_interval(0.8, 100, 10)
    few_low, few_high = expected_interval(0.8, 50, 10)
    assert few_low < low < 0.72 and 0.87 < high < few_high


def test_the_interval_of_repeated_draws_holds_the_accuracy():
    """Of cross-validated accuracies, 95 in 100 should hold the one on many other photographs."""
    held = []
    for seed in range(30):
        given = material(count=25, apart=0.8, seed=seed, width=20)
        learnt = learn(given.features, given.labels, 2, lambda name: None)
        top1 = (learnt.validation.scores.argmax(axis=1) == given.labels).mean()
        low, high = expected_interval(float(top1), learnt.independent, learnt.folds)
        others = material(count=1000, apart=0.8, seed=seed + 1000, width=20)
        right = learnt.head.logits(others.features[:, 0]).argmax(axis=1) == others.labels
        held.append(low <= right.mean() <= high)
    assert np.mean(held) >= 0.9
