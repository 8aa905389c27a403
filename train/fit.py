"""Training: a recipe, data and a seed in, a network out.

Owns the loop. What `train.checkpoint` keeps after an epoch decides everything that follows, so a
resumed run ends with the weights of an uninterrupted one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.support.metrics import cross_entropy, top1
from train import averaging, checkpoint, distill, imagenet, views, weights
from train.architectures import NETWORKS
from train.checkpoint import State
from train.dataset import Split, digest
from train.evaluation import predict
from train.folding import fold
from train.recipes import Recipe
from train.schedule import learning_rate, note_progress, stopped_early
from train.views import View

_TEACHER = "teacher-"  # files with its scores begin so


class DivergedError(Exception):
    """A training came to weights that are no numbers."""


def fit(
    recipe: Recipe,
    train: Split,
    held_out: Split,
    run_dir: Path,
    *,
    classes: int = 10,
    seed: int = 0,
    start_from: Path | None = None,
    teacher: Path | None = None,
    begin: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = print,
) -> tuple[keras.Model, State]:
    """Train a network and return it in its deployed form, with the run's history.

    A checkpoint is written to `run_dir` after every epoch, and a run whose checkpoint is there
    goes on from it: also one that was finished, where the recipe has another cycle since.

    Args:
        start_from: ResNet18 weights for ImageNet, see `train.imagenet`; otherwise the first
            weights are random.
        teacher: weights of the recipe's teacher, where it has one.
        begin: called once what was given has been found usable, before `run_dir` is looked at.
        say: takes one line of progress an epoch.

    Raises:
        CheckpointError: the checkpoint in `run_dir` is damaged, of another recipe, seed or data
            set, or could not be written; or the other weights cannot be used.
        DivergedError: a loss is no number any more.
        ValueError: the recipe has a teacher, but `teacher` is None.
    """
    _make_deterministic(seed)
    model = build(recipe, classes=classes)
    state = State(learning_rate=recipe.learning_rate)
    best: list[NDArray] | None = None
    identity = {"seed": seed, "images": digest(train, held_out)}
    teach = None
    if recipe.teacher:
        if teacher is None:
            raise ValueError(f"Expected weights of the recipe's teacher, {recipe.teacher}.")
        taught_by = distill.Teacher(recipe.teacher, teacher, classes)
        teach = partial(_log_scores, recipe, taught_by, run_dir)
        identity["teacher"] = weights.file_hash(teacher)
    loaded = ""
    if start_from:
        identity["start_from"] = weights.file_hash(start_from)
        loaded = imagenet.load(model, start_from)
    begin()

    def decided(epochs: int) -> str:
        """Return, as text, all that decided the weights after a number of epochs."""
        return json.dumps({"recipe": recipe.until(epochs).choices()} | identity)

    path = run_dir / checkpoint.FILE
    if path.exists():
        state, best = checkpoint.restore(path, model, decided)
        say(f"resuming after epoch {state.epoch} of {recipe.epochs}")
    else:
        for scores in run_dir.glob(f"{_TEACHER}*.npy"):  # of nobody knows which run's first epoch
            scores.unlink()
        if loaded:
            say(loaded)

    while state.epoch < recipe.epochs and not stopped_early(recipe, state):
        started = time.monotonic()
        row = _train_epoch(model, recipe, train, state, classes, seed, teach)
        figures, evaluated = _evaluate(model, recipe, train, seed, held_out)
        row |= figures
        if not math.isfinite(row["train_loss"] + row["held_out_loss"]):
            raise DivergedError(
                f"The training diverged in epoch {state.epoch + 1}: its loss is no number; choose "
                f"another recipe or --seed, or --precision float32. What is in {run_dir} is of the "
                f"epochs before."
            )
        state.seconds += time.monotonic() - started
        state.epoch += 1
        state.history.append(row)
        better = note_progress(recipe, state, row["held_out_loss"])
        if better and recipe.early_stopping_patience is not None:
            best = evaluated
        checkpoint.save(path, model, state, best, decided(state.epoch))
        say(_epoch_line(recipe, state, row, full_side=train.images.shape[1]))

    if recipe.early_stopping_patience is not None and best is not None:
        model.set_weights(best)
    elif recipe.ema is not None:
        averaging.take_average(model, train.images, seed)
    return _deployed(model, recipe, classes), state


def build(recipe: Recipe, *, classes: int = 10) -> keras.Model:
    """Build a recipe's network in the form in which it is trained, compiled."""
    model = NETWORKS[recipe.network](
        classes, precision=recipe.precision, **recipe.architecture, **recipe.training_form
    )
    _compile(model, recipe)
    return model


def _make_deterministic(seed: int) -> None:
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def _compile(model: keras.Model, recipe: Recipe) -> None:
    ema = {"use_ema": recipe.ema is not None, "ema_momentum": recipe.ema or 0.0}
    if recipe.optimizer == "adam":
        optimizer = averaging.Adam(recipe.learning_rate, **ema)
    else:
        optimizer = averaging.SGD(
            recipe.learning_rate,
            momentum=0.9,
            nesterov=True,
            weight_decay=recipe.weight_decay or None,
            **ema,
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    model.compile(
        optimizer,
        loss=(
            distill.DistillationLoss(recipe.temperature, recipe.teacher_weight)
            if recipe.teacher
            else keras.losses.CategoricalCrossentropy()
        ),
        metrics=[
            keras.metrics.MeanMetricWrapper(
                distill.top1 if recipe.teacher else keras.metrics.categorical_accuracy, name="top1"
            )
        ],
        # XLA is 2.7 times slower than TensorFlow's own kernels on a CPU; JAX knows nothing else.
        jit_compile="auto" if keras.backend.backend() == "jax" else False,
    )
    optimizer.build(model.trainable_variables)


def _log_scores(
    recipe: Recipe, teacher: distill.Teacher, run_dir: Path, number: int, view: View
) -> NDArray[np.float32]:
    """Return the teacher's scores of a view, which is seen again if views are limited."""
    kept = None if recipe.views is None else run_dir / f"{_TEACHER}{number}.npy"
    return teacher.log_scores(view, kept)


def _train_epoch(
    model: keras.Model,
    recipe: Recipe,
    train: Split,
    state: State,
    classes: int,
    seed: int,
    teach: Callable[[int, View], NDArray[np.float32]] | None,
) -> dict[str, float]:
    started = time.monotonic()
    lap, number = divmod(state.epoch, recipe.views or recipe.epochs)
    side = _side(recipe, state.epoch)
    view = views.make(recipe, train, classes, seed, number, side=side)
    data_seconds = time.monotonic() - started
    targets = distill.targets(view, teach(number, view)) if teach else view.targets
    if recipe.flip and lap % 2:
        view = view.mirrored()  # and the teacher's scores are taken to be the same

    order = np.random.default_rng([seed, state.epoch, 1]).permutation(len(train))
    steps = math.ceil(len(train) / recipe.batch_size)
    bar = tqdm(
        range(steps),
        desc=f"epoch {state.epoch + 1}/{recipe.epochs}",
        disable=None,
        leave=False,
    )
    loss = correct = 0.0
    for step in bar:
        tick = time.monotonic()
        chosen = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
        images = view.images[chosen].astype(np.float32) / 255.0
        data_seconds += time.monotonic() - tick
        rate = learning_rate(recipe, state, step, steps)
        model.optimizer.learning_rate.assign(rate)
        logs = model.train_on_batch(images, targets[chosen], return_dict=True)  # of this one alone
        loss += float(logs["loss"]) * len(images)
        correct += float(logs["top1"]) * len(images)
        bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)
    return {
        "learning_rate": rate,
        "train_loss": loss / len(train),
        "train_top1": correct / len(train),
        "data_seconds": data_seconds,
        "seconds": time.monotonic() - started,
    }


def _side(recipe: Recipe, epoch: int) -> int | None:
    """Return the side in pixels to which an epoch (0-based) shrinks its images, if it does."""
    for epochs, side in recipe.low_resolution:
        if epoch < epochs:
            return side
        epoch -= epochs
    return None


def _evaluate(
    model: keras.Model, recipe: Recipe, train: Split, seed: int, held_out: Split
) -> tuple[dict[str, float], list[NDArray]]:
    """Return loss and top-1 on the held-out images and the weights that reached them.

    These are the averaged ones where the recipe averages. The model keeps its own.
    """
    live = model.get_weights()
    if recipe.ema is not None:
        averaging.take_average(model, train.images, seed)
    scores, evaluated = predict(model, held_out.images), model.get_weights()
    model.set_weights(live)
    figures = {
        "held_out_loss": cross_entropy(scores, held_out.labels),
        "held_out_top1": top1(scores, held_out.labels),
    }
    return figures, evaluated


def _epoch_line(recipe: Recipe, state: State, row: dict[str, float], *, full_side: int) -> str:
    pixels = [(_side(recipe, epoch) or full_side) ** 2 for epoch in range(recipe.epochs)]
    left = state.seconds * sum(pixels[state.epoch :]) / sum(pixels[: state.epoch])
    return (
        f"epoch {state.epoch}/{recipe.epochs}  rate {row['learning_rate']:.2g}  "
        f"train loss {row['train_loss']:.4f} top-1 {row['train_top1']:.2%}  "
        f"held-out loss {row['held_out_loss']:.4f} top-1 {row['held_out_top1']:.2%}  "
        f"{row['seconds']:.0f} s, at most {left / 60:.0f} min left"
    )


def _deployed(model: keras.Model, recipe: Recipe, classes: int) -> keras.Model:
    """Return the network that ships: float32, exact architecture, BatchNorms folded."""
    deployed = NETWORKS[recipe.network](classes, **recipe.architecture)
    if len(model.weights) != len(deployed.weights):
        fold(model, deployed)
    else:
        deployed.set_weights(model.get_weights())
    return deployed
