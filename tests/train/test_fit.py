"""Training in small: the loop, its schedules and its checkpoints."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edge_runtime.support.metrics import cross_entropy
from export import committed
from train import checkpoint, precision, weights
from train.architectures import simple_cnn
from train.checkpoint import State
from train.dataset import Split
from train.evaluation import predict
from train.fit import _epoch_line, _side, build, fit
from train.recipes import RECIPES, Recipe
from train.schedule import learning_rate
from train.views import View
from train.weights import CheckpointError

# Networks trained in bfloat16 are deployed in float32.
BF16 = precision.choose("bfloat16")[0] == "bfloat16"
SEED, UNTAUGHT = RECIPES["cnn", "seed"], RECIPES["cnn", "untaught"]
RESNET = RECIPES["resnet18", "best"]


def split(images: int, seed: int) -> Split:
    """Images whose class is told by their brightness, which is learnt within an epoch or two."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, images).astype(np.uint8)
    pixels = rng.integers(0, 120, (images, 32, 32, 3)) + 130 * labels[:, None, None, None]
    return Split(pixels.astype(np.uint8), labels, tuple(str(i) for i in range(images)))


TRAIN, HELD_OUT = split(256, 0), split(64, 1)


def small(recipe: Recipe, **changes) -> Recipe:
    """Shorten a recipe, in bfloat16 only where the machine is fast in it."""
    fast, _ = precision.choose(recipe.precision)
    return dataclasses.replace(
        recipe, **{"epochs": 3, "batch_size": 32, "precision": fast} | changes
    )


def train(recipe, run_dir, **options):
    lines: list[str] = []
    model, state = fit(recipe, TRAIN, HELD_OUT, run_dir, classes=2, say=lines.append, **options)
    return model, state, lines


@pytest.mark.parametrize("recipe", [SEED, UNTAUGHT], ids=["seed", "untaught"])
def test_it_learns_and_says_how_far_it_is(tmp_path, recipe):
    model, state, lines = train(small(recipe, epochs=6, learning_rate=recipe.learning_rate / 10,
                                      early_stopping_patience=None), tmp_path)  # fmt: skip
    assert state.epoch == len(state.history) == len(lines) == 6
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]
    assert state.history[-1]["train_top1"] > 0.9
    assert lines[0].startswith("epoch 1/6")
    scores = np.asarray(model(HELD_OUT.images.astype(np.float32) / 255, training=False))
    assert scores.dtype == np.float32
    assert [layer.name for layer in model.layers if layer.name.endswith("bn2")] == []


@pytest.mark.parametrize("recipe", [SEED, UNTAUGHT], ids=["seed", "untaught"])
def test_a_resumed_run_ends_bit_identical(tmp_path, recipe, monkeypatch):
    whole, _, _ = train(small(recipe), tmp_path / "whole")

    class PowerLoss(Exception):
        pass

    def lose_power(line):
        if line.startswith("epoch 2"):
            raise PowerLoss

    with pytest.raises(PowerLoss):
        fit(small(recipe), TRAIN, HELD_OUT, tmp_path / "cut", classes=2, say=lose_power)
    resumed, state, lines = train(small(recipe), tmp_path / "cut")
    assert lines[0] == "resuming after epoch 2 of 3"
    assert state.epoch == 3
    for expected, actual in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_a_finished_run_goes_on_with_a_second_cycle(tmp_path):
    once = small(UNTAUGHT, epochs=2)
    twice = small(UNTAUGHT, epochs=4, restarts=((2, 0.1),))
    whole, _, _ = train(twice, tmp_path / "whole")
    train(once, tmp_path / "cut")
    resumed, _, lines = train(twice, tmp_path / "cut")
    assert lines[0] == "resuming after epoch 2 of 4"
    for expected, actual in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    with pytest.raises(CheckpointError, match="run with other restarts; resume it"):
        train(small(UNTAUGHT, epochs=4, restarts=((2, 0.2),)), tmp_path / "cut")
    with pytest.raises(CheckpointError, match="run with other epochs, restarts;"):
        train(once, tmp_path / "cut")


def test_averaging_is_evaluated_and_kept_and_does_not_touch_the_training(tmp_path):
    recipe = small(UNTAUGHT, ema=0.8, learning_rate=0.02)
    averaged, state, _ = train(recipe, tmp_path / "averaged")
    plain, other, _ = train(dataclasses.replace(recipe, ema=None), tmp_path / "plain")
    for ours, theirs in zip(state.history, other.history, strict=True):
        assert ours["train_loss"] == theirs["train_loss"]
        assert ours["held_out_loss"] != theirs["held_out_loss"]
    for model, history in ((averaged, state.history), (plain, other.history)):
        scores = predict(model, HELD_OUT.images)
        loss = cross_entropy(scores, HELD_OUT.labels)
        assert loss == pytest.approx(history[-1]["held_out_loss"], rel=1e-2 if BF16 else 1e-4)


def test_averaged_weights_get_the_moments_that_belong_to_them(tmp_path):
    model, _, _ = train(small(SEED, epochs=1, ema=0.99, early_stopping_patience=None), tmp_path)
    before = keras.Model(model.inputs, model.get_layer("block1_conv1").output)
    inputs = before.predict(TRAIN.images / 255, verbose=0)
    norm = model.get_layer("block1_bn1")
    np.testing.assert_allclose(norm.moving_mean, inputs.mean(axis=(0, 1, 2)), rtol=1e-3)
    np.testing.assert_allclose(norm.moving_variance, inputs.var(axis=(0, 1, 2)), rtol=1e-3)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    """A checkpoint of a CNN for two classes that has learnt them a little."""
    folder = tmp_path_factory.mktemp("teacher")
    model, _, _ = train(small(SEED), folder)
    weights.save(model, folder / "cnn.safetensors")
    return folder / "cnn.safetensors"


DISTILLED = dataclasses.replace(
    RECIPES["cnn", "best"].without("branches"),  # test_architectures has them
    teacher="cnn",
    learning_rate=0.02,
)


def test_distillation_learns_resumes_and_keeps_the_teacher_s_scores(tmp_path, teacher, monkeypatch):
    mirror, mirrored = View.mirrored, []
    monkeypatch.setattr(View, "mirrored", lambda view: mirrored.append(view) or mirror(view))
    recipe = small(DISTILLED, epochs=4, views=3)
    whole, state, _ = train(recipe, tmp_path / "whole", teacher=teacher)
    assert len(mirrored) == 1  # the first view, in the fourth epoch
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]
    kept = [f"teacher-{number}.npy" for number in range(3)]
    assert sorted(path.name for path in (tmp_path / "whole").glob("*.npy")) == kept

    class PowerLoss(Exception):
        pass

    def lose_power(line):
        if line.startswith("epoch 2"):
            raise PowerLoss

    cut = tmp_path / "cut"
    with pytest.raises(PowerLoss):
        fit(recipe, TRAIN, HELD_OUT, cut, classes=2, teacher=teacher, say=lose_power)
    (cut / kept[0]).unlink()  # it is scored again
    resumed, _, _ = train(recipe, cut, teacher=teacher)
    for expected, actual in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_scores_of_an_unknown_run_are_not_taken(tmp_path, teacher):
    """One that ended in its first epoch leaves them and nothing else."""
    recipe = small(DISTILLED, epochs=1, views=1)
    alone, _, _ = train(recipe, tmp_path / "alone", teacher=teacher)
    (tmp_path / "found").mkdir()
    scores = np.load(tmp_path / "alone" / "teacher-0.npy")
    np.save(tmp_path / "found" / "teacher-0.npy", scores[::-1])
    found, _, _ = train(recipe, tmp_path / "found", teacher=teacher)
    np.testing.assert_array_equal(found.get_weights()[0], alone.get_weights()[0])


def test_the_teacher_decides(tmp_path, teacher):
    recipe = small(DISTILLED, epochs=1, views=None)
    other = tmp_path / "other.safetensors"
    weights.save(simple_cnn(2), other)
    ends = [
        train(recipe, tmp_path / name, teacher=path)[0].get_weights()[0]
        for name, path in (("a", teacher), ("b", other))
    ]
    assert not np.array_equal(*ends)
    assert list((tmp_path / "a").glob("*.npy")) == []  # no view comes back
    with pytest.raises(CheckpointError, match="run with other teacher;"):
        train(recipe, tmp_path / "a", teacher=other)


def test_a_missing_teacher_is_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"There is no checkpoint .*nobody"):
        train(DISTILLED, tmp_path, teacher=tmp_path / "nobody.safetensors")
    with pytest.raises(ValueError, match="Expected weights of the recipe's teacher, cnn"):
        train(DISTILLED, tmp_path)


def test_the_seed_decides(tmp_path):
    weights = [
        train(small(SEED, epochs=1), tmp_path / name, seed=seed)[0].get_weights()[0]
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    train(small(SEED, epochs=1), tmp_path)
    with pytest.raises(CheckpointError, match="run with other seed;"):
        train(small(SEED, epochs=1), tmp_path, seed=1)
    moved = dataclasses.replace(TRAIN, labels=1 - TRAIN.labels)
    with pytest.raises(CheckpointError, match="run with other images;"):
        fit(small(SEED, epochs=1), moved, HELD_OUT, tmp_path, classes=2)
    path = tmp_path / checkpoint.FILE
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        train(small(SEED, epochs=1), tmp_path)


def stalled_after(tmp_path, epochs_done: int, **state):
    """Make a checkpoint whose best held-out loss can never be beaten."""
    recipe = small(SEED, epochs=epochs_done)
    train(recipe, tmp_path)
    path = tmp_path / checkpoint.FILE
    from train.weights import read

    tensors, metadata = read(path)
    changed = json.loads(metadata["state"]) | {"best_loss": -1.0} | state
    identity = json.loads(metadata["identity"])
    identity["recipe"]["epochs"] = 20
    save_file(tensors, path, {"state": json.dumps(changed), "identity": json.dumps(identity)})
    return load_file(path)


def test_early_stopping_restores_the_best_weights(tmp_path):
    tensors = stalled_after(tmp_path, 1)
    model, state, _ = train(small(SEED, epochs=20), tmp_path)
    assert state.epoch == 1 + SEED.early_stopping_patience
    for i, weight in enumerate(model.get_weights()):
        np.testing.assert_array_equal(weight, tensors[f"best.{i}"])


def test_early_stopping_keeps_the_averaged_weights_that_were_best(tmp_path):
    model, state, _ = train(small(SEED, epochs=2, ema=0.8), tmp_path)
    loss = cross_entropy(predict(model, HELD_OUT.images), HELD_OUT.labels)
    assert loss == pytest.approx(state.best_loss, rel=1e-6)


def test_a_plateau_halves_the_rate(tmp_path):
    stalled_after(tmp_path, 1)
    _, state, _ = train(small(SEED, epochs=20), tmp_path)
    assert [row["learning_rate"] for row in state.history] == pytest.approx(
        [1e-3, 1e-3, 1e-3, 5e-4]
    )


def rates(recipe, steps=10):
    """The learning rate of every step of a run."""
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
    """A finished run can so be given another cycle: what it did before is the same."""
    once = dataclasses.replace(UNTAUGHT, epochs=8)
    twice = dataclasses.replace(UNTAUGHT, epochs=12, restarts=((4, 0.05),))
    thrice = dataclasses.replace(UNTAUGHT, epochs=14, restarts=((4, 0.05), (2, 0.03)))
    assert rates(twice)[:80] == rates(once)
    assert rates(thrice)[:120] == rates(twice)
    for cycle, highest in ((rates(twice)[80:], 0.05), (rates(thrice)[120:], 0.03)):
        assert cycle[0] == pytest.approx(highest, rel=0.03)
        assert (np.diff(cycle) < 0).all()
        assert 0 < cycle[-1] < 0.03 * highest


@pytest.mark.skipif(not BF16, reason="this CPU has no instructions for bfloat16")
@pytest.mark.parametrize(
    ("recipe", "side", "form"),
    [(UNTAUGHT, 32, {"dropout_head": 0.0}), (RESNET, 16, {})],
    ids=["cnn", "resnet18"],
)
def test_the_first_step_in_bfloat16_goes_where_float32_goes(recipe, side, form):
    """Same weights, same photographs: a step's length and direction, over all weights."""
    recipe = dataclasses.replace(recipe, training_form={**recipe.training_form, **form})
    chosen = slice(0, 500, 5)
    photographs = committed.read().held_out
    images = photographs.images[chosen, :: 32 // side, :: 32 // side] / np.float32(255)
    labels = np.eye(10, dtype=np.float32)[photographs.labels[chosen]]

    keras.utils.set_random_seed(0)
    losses, steps, first = [], [], None
    for arithmetic in ("float32", "bfloat16"):
        model = build(dataclasses.replace(recipe, precision=arithmetic))
        first = first or model.get_weights()
        model.set_weights(first)
        before = [w.numpy() for w in model.trainable_weights]
        losses.append(model.train_on_batch(images, labels, return_dict=True)["loss"])
        after = [w.numpy() for w in model.trainable_weights]
        steps.append(np.concatenate([(b - a).ravel() for a, b in zip(before, after, strict=True)]))
    lengths = np.linalg.norm(steps, axis=1)
    assert losses[1] == pytest.approx(losses[0], rel=5e-3)
    assert lengths[1] == pytest.approx(lengths[0], rel=3e-2)
    assert steps[0] @ steps[1] / lengths.prod() > 0.96  # 16 degrees


@pytest.mark.slow
def test_resnet18_trains_at_every_resolution(tmp_path):
    recipe = small(RESNET, epochs=3, restarts=(), batch_size=32, low_resolution=((1, 8), (1, 16)))
    model, state, _ = train(recipe, tmp_path)
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]
    assert model.input_shape == (None, 32, 32, 3)
    assert model.count_params() == 11_183_562 - 8 * 513  # two classes instead of ten


@pytest.mark.parametrize(("epoch", "side"), [(0, 16), (4, 16), (5, 24), (12, 24), (13, None)])
def test_low_resolution_comes_first(epoch, side):
    assert _side(RESNET, epoch) == side


def test_the_time_left_counts_pixels():
    """Epochs at low resolution come first; those left take longer."""
    recipe = dataclasses.replace(RESNET, epochs=4, restarts=(), low_resolution=((2, 16),))
    row = dict.fromkeys(("learning_rate", "train_loss", "train_top1"), 0.5)
    row |= {"held_out_loss": 0.5, "held_out_top1": 0.5, "seconds": 55.0}
    line = _epoch_line(recipe, State(epoch=2, seconds=120.0), row, full_side=32)
    assert line.endswith("55 s, at most 8 min left")
