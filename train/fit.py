"""Training: a recipe, data and a seed in, a network out.

Owns the loop and the learning-rate schedules. What `train.checkpoint` keeps after an epoch decides
everything that follows, so a resumed run ends with the weights of an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from train import augment, checkpoint
from train.architectures import NETWORKS
from train.checkpoint import State
from train.dataset import Split
from train.folding import fold
from train.recipes import Recipe


def fit(
    recipe: Recipe,
    train: Split,
    held_out: Split,
    run_dir: Path,
    *,
    classes: int = 10,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> tuple[keras.Model, State]:
    """Train a network and return it in its deployed form, with the run's history.

    A checkpoint is written to `run_dir` after every epoch, and a run whose checkpoint is there
    goes on from it.

    Args:
        say: takes one line of progress an epoch.

    Raises:
        CheckpointError: the checkpoint in `run_dir` is damaged, of another recipe or seed, or
            could not be written.
    """
    _make_deterministic(seed)
    model = build(recipe, classes=classes)
    _compile(model, recipe)
    state = State(learning_rate=recipe.learning_rate)
    best: list[NDArray] | None = None
    identity = json.dumps(
        {"recipe": recipe.choices(), "seed": seed, "images": _digest(train, held_out)}
    )
    path = run_dir / checkpoint.FILE
    if path.exists():
        state, best = checkpoint.restore(path, model, identity)
        say(f"resuming after epoch {state.epoch} of {recipe.epochs}")

    while state.epoch < recipe.epochs and not _stopped_early(recipe, state):
        started = time.monotonic()
        row = _train_epoch(model, recipe, train, state, classes, seed)
        row |= _evaluate(model, recipe, held_out, classes)
        state.seconds += time.monotonic() - started
        state.epoch += 1
        state.history.append(row)
        if _note_progress(recipe, state, row["held_out_loss"]):
            best = model.get_weights()
        checkpoint.save(path, model, state, best, identity)
        say(_epoch_line(recipe, state, row))

    if recipe.early_stopping_patience is not None and best is not None:
        model.set_weights(best)
    elif recipe.ema is not None:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    return _deployed(model, recipe, classes), state


def _digest(*splits: Split) -> str:
    """Return a hash over the images of some splits."""
    return hashlib.sha256("".join(h for split in splits for h in split.hashes).encode()).hexdigest()


def build(recipe: Recipe, *, classes: int = 10) -> keras.Model:
    """Build a recipe's network in the form in which it is trained."""
    return NETWORKS[recipe.network](
        classes, precision=recipe.precision, **recipe.architecture, **recipe.training_form
    )


def learning_rate(recipe: Recipe, state: State, step: int, steps_per_epoch: int) -> float:
    """Return the learning rate of a step (0-based) of the epoch after `state.epoch`.

    One-cycle: linear from zero to the highest rate during warm-up, then linear to zero at the
    end of the last epoch.
    """
    if recipe.schedule == "plateau":
        return state.learning_rate
    total = recipe.epochs * steps_per_epoch
    done = state.epoch * steps_per_epoch + step + 0.5
    peak = recipe.warm_up * total
    share = done / peak if done < peak else (total - done) / (total - peak)
    return recipe.learning_rate * share


def _make_deterministic(seed: int) -> None:
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _compile(model: keras.Model, recipe: Recipe) -> None:
    averaging = {"use_ema": recipe.ema is not None, "ema_momentum": recipe.ema or 0.0}
    if recipe.optimizer == "adam":
        optimizer = keras.optimizers.Adam(recipe.learning_rate, **averaging)
    else:
        optimizer = keras.optimizers.SGD(
            recipe.learning_rate,
            momentum=0.9,
            nesterov=True,
            weight_decay=recipe.weight_decay or None,
            **averaging,
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
        # XLA is 2.7 times slower than TensorFlow's own kernels on a CPU; JAX knows nothing else.
        jit_compile="auto" if keras.backend.backend() == "jax" else False,
    )
    optimizer.build(model.trainable_variables)


def _train_epoch(
    model: keras.Model, recipe: Recipe, train: Split, state: State, classes: int, seed: int
) -> dict[str, float]:
    rng = np.random.default_rng([seed, state.epoch])
    steps = math.ceil(len(train) / recipe.batch_size)
    bar = tqdm(
        _batches(recipe, train, classes, rng, side=_side(recipe, state.epoch)),
        desc=f"epoch {state.epoch + 1}/{recipe.epochs}",
        total=steps,
        disable=None,
        leave=False,
    )
    loss = correct = 0.0
    for step, (images, targets) in enumerate(bar):
        rate = learning_rate(recipe, state, step, steps)
        model.optimizer.learning_rate.assign(rate)
        logs = model.train_on_batch(images, targets, return_dict=True)  # of this batch alone
        loss += float(logs["loss"]) * len(images)
        correct += float(logs["accuracy"]) * len(images)
        bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)
    return {
        "learning_rate": rate,
        "train_loss": loss / len(train),
        "train_top1": correct / len(train),
    }


def _batches(
    recipe: Recipe,
    train: Split,
    classes: int,
    rng: np.random.Generator,
    *,
    side: int | None,
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield every training image once, in random order, augmented, with one-hot targets."""
    one_hot = np.eye(classes, dtype=np.float32)
    order = rng.permutation(len(train))
    for start in range(0, len(order), recipe.batch_size):
        chosen = order[start : start + recipe.batch_size]
        images = train.images[chosen]
        if recipe.flip:
            images = augment.flip(images, rng)
        if recipe.translate:
            images = augment.translate(images, recipe.translate, rng)
        if recipe.soften:
            images = augment.soften(images, recipe.soften, rng)
        if recipe.cutout:
            images = augment.cutout(images, recipe.cutout, rng)
        if side:
            images = augment.shrink(images, side)
        yield images.astype(np.float32) / 255.0, one_hot[train.labels[chosen]]


def _side(recipe: Recipe, epoch: int) -> int | None:
    """Return the side in pixels to which an epoch (0-based) shrinks its images, if it does."""
    for epochs, side in recipe.low_resolution:
        if epoch < epochs:
            return side
        epoch -= epochs
    return None


def _evaluate(
    model: keras.Model, recipe: Recipe, held_out: Split, classes: int
) -> dict[str, float]:
    """Return loss (with the recipe's label smoothing) and top-1 on the held-out images."""
    swap = [keras.callbacks.SwapEMAWeights()] if recipe.ema is not None else []
    logs = model.evaluate(
        held_out.images.astype(np.float32) / 255.0,
        np.eye(classes, dtype=np.float32)[held_out.labels],
        batch_size=500,
        verbose=0,
        return_dict=True,
        callbacks=swap,
    )
    return {"held_out_loss": float(logs["loss"]), "held_out_top1": float(logs["accuracy"])}


def _note_progress(recipe: Recipe, state: State, loss: float) -> bool:
    """Update the early-stopping and plateau counts; return whether this epoch is the best."""
    better = loss < state.best_loss
    if better:
        state.best_epoch, state.best_loss = state.epoch, loss
        state.stalled = state.stalled_at_this_rate = 0
    else:
        state.stalled += 1
        state.stalled_at_this_rate += 1
        if recipe.schedule == "plateau" and state.stalled_at_this_rate >= recipe.plateau_patience:
            cut = state.learning_rate * recipe.plateau_factor
            state.learning_rate = max(cut, recipe.min_learning_rate)
            state.stalled_at_this_rate = 0
    return better


def _stopped_early(recipe: Recipe, state: State) -> bool:
    patience = recipe.early_stopping_patience
    return patience is not None and state.stalled >= patience


def _epoch_line(recipe: Recipe, state: State, row: dict[str, float]) -> str:
    per_epoch = state.seconds / state.epoch
    left = (recipe.epochs - state.epoch) * per_epoch / 60
    return (
        f"epoch {state.epoch}/{recipe.epochs}  rate {row['learning_rate']:.2g}  "
        f"train loss {row['train_loss']:.4f} top-1 {row['train_top1']:.2%}  "
        f"held-out loss {row['held_out_loss']:.4f} top-1 {row['held_out_top1']:.2%}  "
        f"{per_epoch:.0f} s an epoch, at most {left:.0f} min left"
    )


def _deployed(model: keras.Model, recipe: Recipe, classes: int) -> keras.Model:
    """Return the network that ships: float32, exact architecture, BatchNorms folded."""
    deployed = NETWORKS[recipe.network](classes, **recipe.architecture)
    if len(model.weights) != len(deployed.weights):
        fold(model, deployed)
    else:
        deployed.set_weights(model.get_weights())
    return deployed
