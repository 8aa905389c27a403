"""Training on a teacher's scores or on outliers, on small data."""

import dataclasses

import numpy as np
import pytest

from edge_runtime.errors import ResumeError
from tests.train.small import HELD_OUT, outliers_in, shortened, train, train_until_power_loss
from train import distill, weights
from train.architectures import simple_cnn
from train.evaluation import predict
from train.recipes import RECIPES
from train.views import View
from train.weights import CheckpointError

UNTAUGHT = RECIPES["cnn", "untaught"]

DISTILLED = dataclasses.replace(
    RECIPES["cnn", "best"].without("branches"),  # test_architectures tests the branches
    teacher="cnn",
    learning_rate=0.02,
)


@pytest.mark.slow
def test_distillation_learns_resumes_and_keeps_the_scores(tmp_path, teacher, monkeypatch):
    mirror, mirrored = View.mirrored, []
    monkeypatch.setattr(View, "mirrored", lambda view: mirrored.append(view) or mirror(view))
    recipe = shortened(DISTILLED, epochs=4, views=3)
    whole, state, _ = train(recipe, tmp_path / "whole", teachers=[teacher])
    assert len(mirrored) == 1  # the first view, in the fourth epoch
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]
    kept = [f"teacher-{number}.npy" for number in range(3)]
    assert sorted(path.name for path in (tmp_path / "whole").glob("*.npy")) == kept

    cut = tmp_path / "cut"
    train_until_power_loss(recipe, cut, teachers=[teacher])
    (cut / kept[0]).unlink()  # the teacher scores that view again
    resumed, _, _ = train(recipe, cut, teachers=[teacher])
    for expected, actual in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_scores_of_an_unknown_run_are_not_used(tmp_path, teacher):
    """A run that ended in its first epoch leaves only such scores."""
    recipe = shortened(DISTILLED, epochs=1, views=1)
    alone, _, _ = train(recipe, tmp_path / "alone", teachers=[teacher])
    (tmp_path / "found").mkdir()
    scores = np.load(tmp_path / "alone" / "teacher-0.npy")
    np.save(tmp_path / "found" / "teacher-0.npy", scores[::-1])
    found, _, _ = train(recipe, tmp_path / "found", teachers=[teacher])
    np.testing.assert_array_equal(found.get_weights()[0], alone.get_weights()[0])


def test_another_teacher_gives_other_weights(tmp_path, teacher):
    recipe = shortened(DISTILLED, epochs=1, views=None)
    other = tmp_path / "other.safetensors"
    weights.save(simple_cnn(2), other)
    ends = [
        train(recipe, tmp_path / name, teachers=[path])[0].get_weights()[0]
        for name, path in (("a", teacher), ("b", other))
    ]
    assert not np.array_equal(*ends)
    assert list((tmp_path / "a").glob("*.npy")) == []  # because every view is new
    with pytest.raises(ResumeError, match="run with other teacher;"):
        train(recipe, tmp_path / "a", teachers=[other])


def test_two_teachers_teach_the_mean_of_their_scores(tmp_path, teacher):
    other = tmp_path / "other.safetensors"
    weights.save(simple_cnn(2), other, about={"network": "cnn"})
    view = View(HELD_OUT.images, np.eye(2, dtype=np.float32)[HELD_OUT.labels])
    of_one, of_other, of_both = (
        np.exp(distill.Teacher("cnn", paths, 2).log_scores(view, None))
        for paths in ([teacher], [other], [teacher, other])
    )
    np.testing.assert_allclose(of_both, (of_one + of_other) / 2, rtol=5e-3)
    assert not np.allclose(of_one, of_other, rtol=0.1)
    recipe = shortened(DISTILLED, epochs=1)
    train(recipe, tmp_path / "both", teachers=[teacher, other])
    with pytest.raises(ResumeError, match="run with other teacher;"):
        train(recipe, tmp_path / "both", teachers=[teacher])


def test_a_teacher_is_of_the_network_that_its_checkpoint_names(tmp_path, teacher):
    named = tmp_path / "named.safetensors"
    weights.save(simple_cnn(2), named, about={"network": "cnn"})
    distill.Teacher("resnet18", [named], 2)
    with pytest.raises(CheckpointError, match="holds another network than resnet18"):
        distill.Teacher("resnet18", [teacher], 2)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Striped images, which are of neither class."""
    return outliers_in(tmp_path_factory.mktemp("outliers"))


def best_scores_of(model, sources):
    return predict(model, sources[0].validation).max(axis=1).mean()


@pytest.mark.slow
def test_outliers_of_unseen_classes_get_lower_scores(tmp_path, sources):
    plain = shortened(UNTAUGHT, epochs=4, learning_rate=0.02)
    without, _, _ = train(plain, tmp_path / "without")
    recipe = plain.with_outliers()
    exposed, state, _ = train(recipe, tmp_path / "exposed", sources=sources)
    assert best_scores_of(exposed, sources) < best_scores_of(without, sources) - 0.1
    assert state.history[-1]["train_top1"] > 0.9
    assert state.history[-1]["held_out_top1"] > 0.9
    with pytest.raises(ValueError, match="Expected outliers"):
        train(recipe, tmp_path / "none")


@pytest.mark.slow
def test_a_run_with_outliers_and_a_teacher_resumes(tmp_path, sources, teacher):
    recipe = shortened(DISTILLED, epochs=3, views=2).with_outliers()
    whole, _, _ = train(recipe, tmp_path / "whole", sources=sources, teachers=[teacher])
    train_until_power_loss(recipe, tmp_path / "cut", sources=sources, teachers=[teacher])
    resumed, _, _ = train(recipe, tmp_path / "cut", sources=sources, teachers=[teacher])
    for expected, actual in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    other = [dataclasses.replace(sources[0], train=sources[0].train[1:])]
    with pytest.raises(ResumeError, match="run with other outliers;"):
        train(recipe, tmp_path / "cut", sources=other, teachers=[teacher])


def test_a_missing_teacher_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"There is no checkpoint .*nobody"):
        train(DISTILLED, tmp_path, teachers=[tmp_path / "nobody.safetensors"])
    with pytest.raises(ValueError, match="Expected weights of the recipe's teacher, cnn"):
        train(DISTILLED, tmp_path)
