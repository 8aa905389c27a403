"""The training loop and its checkpoints, on small data."""

import dataclasses
import json

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edge_runtime.errors import ResumeError
from edge_runtime.support.metrics import cross_entropy
from export import committed
from tests.train.small import HELD_OUT, TRAIN, shortened, train, train_until_power_loss
from train import checkpoint, precision, weights
from train.architectures import simple_cnn
from train.build import training_network
from train.evaluation import predict
from train.fit import Training
from train.recipes import RECIPES
from train.weights import CheckpointError

# In bfloat16 the trained network and the deployed one, in float32, differ by rounding.
BF16 = precision.choose("bfloat16")[0] == "bfloat16"
SEED, UNTAUGHT = RECIPES["cnn", "seed"], RECIPES["cnn", "untaught"]
RESNET = RECIPES["resnet18", "best"]


@pytest.mark.parametrize("recipe", [SEED, UNTAUGHT], ids=["seed", "untaught"])
def test_it_learns_and_prints_a_line_an_epoch(tmp_path, recipe):
    model, state, lines = train(shortened(recipe, epochs=6, learning_rate=recipe.learning_rate / 10,
                                      early_stopping_patience=None), tmp_path)  # fmt: skip
    assert state.epoch == len(state.history) == len(lines) == 6
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]
    assert state.history[-1]["train_top1"] > 0.9
    assert lines[0].startswith("epoch 1/6")
    scores = np.asarray(model(HELD_OUT.images.astype(np.float32) / 255, training=False))
    assert scores.dtype == np.float32
    assert [layer.name for layer in model.layers if layer.name.endswith("bn2")] == []


@pytest.mark.parametrize("recipe", [SEED, UNTAUGHT], ids=["seed", "untaught"])
def test_a_resumed_run_ends_with_identical_weights(tmp_path, recipe):
    whole, _, _ = train(shortened(recipe), tmp_path / "whole")
    train_until_power_loss(shortened(recipe), tmp_path / "cut")
    resumed, state, lines = train(shortened(recipe), tmp_path / "cut")
    assert lines[0] == "resuming after epoch 2 of 3"
    assert state.epoch == 3
    for expected, actual in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.slow
def test_a_finished_run_resumes_with_a_second_cycle(tmp_path):
    once = shortened(UNTAUGHT, epochs=2)
    twice = shortened(UNTAUGHT, epochs=4, restarts=((2, 0.1),))
    whole, _, _ = train(twice, tmp_path / "whole")
    train(once, tmp_path / "cut")
    resumed, _, lines = train(twice, tmp_path / "cut")
    assert lines[0] == "resuming after epoch 2 of 4"
    for expected, actual in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    with pytest.raises(ResumeError, match="run with other restarts; resume it"):
        train(shortened(UNTAUGHT, epochs=4, restarts=((2, 0.2),)), tmp_path / "cut")
    with pytest.raises(ResumeError, match="run with other epochs, restarts;"):
        train(once, tmp_path / "cut")


def test_the_average_is_evaluated_and_deployed_and_does_not_change_the_training(tmp_path):
    recipe = shortened(UNTAUGHT, ema=0.8, learning_rate=0.02)
    averaged, state, _ = train(recipe, tmp_path / "averaged")
    plain, other, _ = train(dataclasses.replace(recipe, ema=None), tmp_path / "plain")
    for ours, theirs in zip(state.history, other.history, strict=True):
        assert ours["train_loss"] == theirs["train_loss"]
        assert ours["held_out_loss"] != theirs["held_out_loss"]
    for model, history in ((averaged, state.history), (plain, other.history)):
        scores = predict(model, HELD_OUT.images)
        loss = cross_entropy(scores, HELD_OUT.labels)
        assert loss == pytest.approx(history[-1]["held_out_loss"], rel=1e-2 if BF16 else 1e-4)


def test_averaged_weights_get_matching_moments(tmp_path):
    model, _, _ = train(shortened(SEED, epochs=1, ema=0.99, early_stopping_patience=None), tmp_path)
    before = keras.Model(model.inputs, model.get_layer("block1_conv1").output)
    inputs = before.predict(TRAIN.images / 255, verbose=0)
    norm = model.get_layer("block1_bn1")
    np.testing.assert_allclose(norm.moving_mean, inputs.mean(axis=(0, 1, 2)), rtol=1e-3)
    np.testing.assert_allclose(norm.moving_variance, inputs.var(axis=(0, 1, 2)), rtol=1e-3)


def test_a_training_continues_from_a_checkpoint(tmp_path, teacher):
    """The teacher fixture is a trained CNN, so the first epoch begins where that one ended."""
    recipe = shortened(RECIPES["cnn", "continued"], epochs=1, teacher=None, learning_rate=1e-6)
    model, _, lines = train(recipe, tmp_path, start_from=teacher)
    assert lines[0] == f"{teacher}: all weights loaded"
    before = simple_cnn(2)
    weights.load(before, teacher)
    kernel = before.get_layer("dense").kernel.numpy()
    # The moments of all images, not of a batch, are folded into it.
    np.testing.assert_allclose(model.get_layer("dense").kernel.numpy(), kernel, 0.01, 1e-3)
    with pytest.raises(ValueError, match="Expected a checkpoint of cnn to start from"):
        train(recipe, tmp_path)


def test_the_seed_determines_the_weights(tmp_path):
    weights = [
        train(shortened(SEED, epochs=1), tmp_path / name, seed=seed)[0].get_weights()[0]
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.array_equal(weights[0], weights[2])


def test_checkpoints_of_other_runs_are_refused(tmp_path):
    train(shortened(SEED, epochs=1), tmp_path)
    with pytest.raises(ResumeError, match="run with other seed;"):
        train(shortened(SEED, epochs=1), tmp_path, seed=1)
    moved = dataclasses.replace(TRAIN, labels=1 - TRAIN.labels)
    with pytest.raises(ResumeError, match="run with other images;"):
        Training(shortened(SEED, epochs=1), moved, HELD_OUT, classes=2).fit(tmp_path)
    path = tmp_path / checkpoint.FILE
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        train(shortened(SEED, epochs=1), tmp_path)


def stalled_after(tmp_path, epochs_done: int, **state):
    """Write a checkpoint whose best held-out loss can never be beaten; return its tensors."""
    recipe = shortened(SEED, epochs=epochs_done)
    train(recipe, tmp_path)
    path = tmp_path / checkpoint.FILE
    tensors, metadata = weights.read(path)
    changed = json.loads(metadata["state"]) | {"best_loss": -1.0} | state
    identity = json.loads(metadata["identity"])
    identity["recipe"]["epochs"] = 20
    save_file(tensors, path, {"state": json.dumps(changed), "identity": json.dumps(identity)})
    return load_file(path)


def test_early_stopping_restores_the_best_weights(tmp_path):
    tensors = stalled_after(tmp_path, 1)
    model, state, _ = train(shortened(SEED, epochs=20), tmp_path)
    assert state.epoch == 1 + SEED.early_stopping_patience
    for i, weight in enumerate(model.get_weights()):
        np.testing.assert_array_equal(weight, tensors[f"best.{i}"])


def test_early_stopping_keeps_the_averaged_weights_that_were_best(tmp_path):
    model, state, _ = train(shortened(SEED, epochs=2, ema=0.8), tmp_path)
    loss = cross_entropy(predict(model, HELD_OUT.images), HELD_OUT.labels)
    assert loss == pytest.approx(state.best_loss, rel=1e-6)


def test_a_plateau_halves_the_rate(tmp_path):
    stalled_after(tmp_path, 1)
    _, state, _ = train(shortened(SEED, epochs=20), tmp_path)
    assert [row["learning_rate"] for row in state.history] == pytest.approx(
        [1e-3, 1e-3, 1e-3, 5e-4]
    )


@pytest.mark.skipif(not BF16, reason="this CPU has no instructions for bfloat16")
@pytest.mark.parametrize(
    ("recipe", "side", "form"),
    [(UNTAUGHT, 32, {"dropout_head": 0.0}), (RESNET, 16, {})],
    ids=["cnn", "resnet18"],
)
def test_the_first_step_in_bfloat16_goes_where_float32_goes(recipe, side, form):
    """From equal weights and photographs, the steps agree in length and direction."""
    recipe = dataclasses.replace(recipe, training_form={**recipe.training_form, **form})
    chosen = slice(0, 500, 5)
    photographs = committed.read().held_out
    images = photographs.images[chosen, :: 32 // side, :: 32 // side] / np.float32(255)
    labels = np.eye(10, dtype=np.float32)[photographs.labels[chosen]]

    keras.utils.set_random_seed(0)
    losses, steps, first = [], [], None
    for arithmetic in ("float32", "bfloat16"):
        model = training_network(dataclasses.replace(recipe, precision=arithmetic))
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
    recipe = shortened(
        RESNET, epochs=3, restarts=(), batch_size=32, low_resolution=((1, 8), (1, 16))
    )
    model, state, _ = train(recipe, tmp_path)
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]
    assert model.input_shape == (None, 32, 32, 3)
    assert model.count_params() == 11_183_562 - 8 * 513  # two classes instead of ten
