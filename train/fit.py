"""The training loop: a recipe, data and a seed in, a network out.

The checkpoint after an epoch determines everything that follows, so a resumed run ends with the
weights of an uninterrupted one.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.support.metrics import cross_entropy, top1
from train import (
    averaging,
    checkpoint,
    continuation,
    distill,
    exposure,
    finetune,
    imagenet,
    outliers,
    views,
    weights,
)
from train.build import deployed_form, deployed_network, training_network
from train.checkpoint import State
from train.dataset import Split, digest
from train.evaluation import predict
from train.networks import inputs_of
from train.outlier_views import OutlierViews
from train.recipe import Recipe
from train.run_files import all_teacher_scores, teacher_scores
from train.schedule import learning_rate, note_progress, resolution, seconds_left, stopped_early
from train.views import View


class DivergedError(Exception):
    """A loss or a weight of a training is no longer a finite number."""


class Training:
    """A training whose inputs are loaded and found usable; `fit` runs it, once.

    Constructing one touches no run's folder, so an unusable input costs no finished run.

    Attributes:
        identity: what decides the weights besides the recipe: `seed`, and the sha256 of the
            `images` and, if there are such, of `teacher`, `start_from` and `outliers`.
    """

    def __init__(
        self,
        recipe: Recipe,
        train: Split,
        held_out: Split,
        *,
        classes: int = 10,
        seed: int = 0,
        start_from: Path | None = None,
        teachers: Sequence[Path] = (),
        sources: outliers.Outliers = (),
    ) -> None:
        """Build the network and load the weights that it starts from or learns from.

        Args:
            start_from: the network's checkpoint if the recipe continues or fine-tunes it, see
                `train.finetune`; otherwise ResNet18 weights for ImageNet, see `train.imagenet`, or
                None for random weights.
            teachers: weights of the recipe's teacher, if it has one; of several, the mean of their
                scores teaches.
            sources: the outliers, if the recipe takes any.

        Raises:
            CheckpointError: `start_from` or one of `teachers` cannot be used.
            ValueError: the recipe has a teacher, but `teachers` is empty; it continues or
                fine-tunes, but `start_from` is None; or it takes outliers, but there are none.
        """
        self._recipe, self._classes, self._seed = recipe, classes, seed
        self._train, self._held_out = train, held_out
        make_deterministic(seed)
        self._model = training_network(recipe, classes=classes)
        self.identity: dict[str, int | str] = {"seed": seed, "images": digest(train, held_out)}
        self._teacher: distill.Teacher | None = None
        if recipe.teacher:
            if not teachers:
                raise ValueError(f"Expected weights of the recipe's teacher, {recipe.teacher}.")
            self._teacher = distill.Teacher(recipe.teacher, teachers, classes)
            self.identity["teacher"] = " and ".join(map(weights.file_hash, teachers))
        if recipe.takes_outliers and not sources:
            raise ValueError("Expected outliers, because the recipe takes them.")
        self._outlier_views = OutlierViews(recipe, sources, seed)
        self._for_moments = self._outlier_views.mixed(train.images, averaging.IMAGES_FOR_MOMENTS)
        self._loaded = ""
        if (recipe.fine_tune or recipe.continues) and start_from is None:
            raise ValueError(f"Expected a checkpoint of {recipe.network} to start from.")
        if start_from:
            self.identity["start_from"] = weights.file_hash(start_from)
            self._loaded = self._load(start_from)
        if recipe.takes_outliers:
            self.identity["outliers"] = outliers.digest(sources)

    def fit(
        self, run_dir: Path, *, say: Callable[[str], None] = print
    ) -> tuple[keras.Model, State]:
        """Train, and return the network in its deployed form with the run's history.

        A checkpoint is written to `run_dir` after every epoch. If one is there already, the
        training resumes from it, even after the last epoch if the recipe has another cycle now.

        Args:
            say: takes one line of progress an epoch.

        Raises:
            CheckpointError: the checkpoint in `run_dir` is damaged or cannot be written.
            ResumeError: it belongs to another recipe, seed or data set.
            DivergedError: a loss is no longer a finite number.
        """
        recipe, model = self._recipe, self._model
        path = run_dir / checkpoint.FILE
        state, best = State(learning_rate=recipe.learning_rate), None
        if path.exists():
            state, best = checkpoint.restore(path, model, self._identity_after)
            say(f"resuming after epoch {state.epoch} of {recipe.epochs}")
        else:
            for scores in all_teacher_scores(run_dir):  # left by an unknown run's first epoch
                scores.unlink()
            if self._loaded:
                say(self._loaded)
            if self._teacher:
                share = top1(self._teacher.scores(self._held_out.images), self._held_out.labels)
                say(f"the teacher is right on {share:.2%} of the held-out images")
            if recipe.fine_tune and recipe.architecture.get("stage_features"):
                say(finetune.fit_last_layer(model, self._train))
                best = self._note_start(state, say)

        while state.epoch < recipe.epochs and not stopped_early(recipe, state):
            started = time.monotonic()
            row = self._train_epoch(state, run_dir)
            figures, evaluated = self._evaluate()
            row |= figures
            if not math.isfinite(row["train_loss"] + row["held_out_loss"]):
                raise DivergedError(
                    f"The training diverged in epoch {state.epoch + 1}: its loss is not finite; "
                    f"choose another recipe or --seed, or --precision float32."
                    + (
                        f" The files in {run_dir} are from the epochs before."
                        if path.exists()
                        else ""
                    )
                )
            state.seconds += time.monotonic() - started
            state.epoch += 1
            state.history.append(row)
            better = note_progress(recipe, state, row["held_out_loss"])
            if better and recipe.early_stopping_patience is not None:
                best = evaluated
            checkpoint.save(path, model, state, best, self._identity_after(state.epoch))
            say(epoch_line(recipe, state, row, full_side=self._train.images.shape[1]))

        if recipe.early_stopping_patience is not None and best is not None:
            model.set_weights(best)
        elif recipe.ema is not None:
            averaging.take_average(model, self._for_moments, self._seed)
        return deployed_network(model, recipe, classes=self._classes), state

    def _load(self, start_from: Path) -> str:
        """Set the weights from a checkpoint as the recipe says; return a line about it."""
        if self._recipe.continues:
            deployed = deployed_form(self._recipe, classes=self._classes)
            return continuation.load(self._model, deployed, start_from, self._for_moments)
        load = finetune.load if self._recipe.fine_tune else imagenet.load
        return load(self._model, start_from)

    def _note_start(self, state: State, say: Callable[[str], None]) -> list[NDArray] | None:
        """Let early stopping compare the epochs with the weights before the first one.

        Returns:
            These weights; None if the recipe does not stop early.
        """
        if self._recipe.early_stopping_patience is None:
            return None
        scores = predict(self._model, self._held_out.images)
        loss = max(0.0, cross_entropy(scores, self._held_out.labels))
        share = top1(scores, self._held_out.labels)
        note_progress(self._recipe, state, loss)
        say(f"before the first epoch: held-out loss {loss:.4f} top-1 {share:.2%}")
        return self._model.get_weights()

    def _identity_after(self, epochs: int) -> str:
        """Return, as a JSON object, all that decided the weights after a number of epochs."""
        return json.dumps({"recipe": self._recipe.until(epochs).choices()} | self.identity)

    def _train_epoch(self, state: State, run_dir: Path) -> dict[str, float]:
        recipe, model, train = self._recipe, self._model, self._train
        started = time.monotonic()
        lap, number = divmod(state.epoch, recipe.views or recipe.epochs)
        side = resolution(recipe, state.epoch)
        view = views.make(recipe, train, self._classes, self._seed, number, side=side)
        data_seconds = time.monotonic() - started
        targets = view.targets
        if self._teacher:
            targets = distill.targets(view, self._teacher_scores(view, number, run_dir))
        if recipe.flip and lap % 2:
            view = view.mirrored()  # the teacher's scores are taken to stay the same

        tick = time.monotonic()
        images = self._outlier_views.shown(view.images, state.epoch)
        others = self._outlier_views.outliers(state.epoch, train.images, side)
        data_seconds += time.monotonic() - tick
        order = np.random.default_rng([self._seed, state.epoch, 1]).permutation(len(train))
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
            batch, expected = images[chosen], targets[chosen]
            if few := recipe.outliers_of(len(chosen)):
                batch = np.concatenate([batch, others[:few]])
                expected, others = exposure.targets(expected, few), others[few:]
            inputs = inputs_of(model, batch)
            data_seconds += time.monotonic() - tick
            rate = learning_rate(recipe, state, step, steps)
            model.optimizer.learning_rate.assign(rate)
            logs = model.train_on_batch(inputs, expected, return_dict=True)  # of one batch
            loss += float(logs["loss"]) * len(chosen)
            correct += float(logs["top1"]) * len(batch)  # of the images alone
            bar.set_postfix(loss=f"{logs['loss']:.3f}", refresh=False)
        return {
            "learning_rate": rate,
            "train_loss": loss / len(train),
            "train_top1": correct / len(train),
            "data_seconds": data_seconds,
            "seconds": time.monotonic() - started,
        }

    def _teacher_scores(self, view: View, number: int, run_dir: Path) -> NDArray[np.float32]:
        """Return the logarithms of the teacher's scores; keep them if the view comes back."""
        assert self._teacher is not None  # only called if there is one
        kept = None if self._recipe.views is None else teacher_scores(run_dir, number)
        return self._teacher.log_scores(view, kept)

    def _evaluate(self) -> tuple[dict[str, float], list[NDArray]]:
        """Return loss and top-1 on the held-out images, and the weights that reached them.

        These are the averaged weights if the recipe averages. The network keeps its own.
        """
        model, held_out = self._model, self._held_out
        live = model.get_weights()
        if self._recipe.ema is not None:
            averaging.take_average(model, self._for_moments, self._seed)
        scores, evaluated = predict(model, held_out.images), model.get_weights()
        model.set_weights(live)
        figures = {
            "held_out_loss": cross_entropy(scores, held_out.labels),
            "held_out_top1": top1(scores, held_out.labels),
        }
        return figures, evaluated


def make_deterministic(seed: int) -> None:
    """Set all random seeds, and let TensorFlow choose reproducible kernels."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def epoch_line(recipe: Recipe, state: State, row: dict[str, float], *, full_side: int) -> str:
    """Return the line that a training prints after an epoch."""
    left = seconds_left(recipe, state, full_side=full_side)
    return (
        f"epoch {state.epoch}/{recipe.epochs}  rate {row['learning_rate']:.2g}  "
        f"train loss {row['train_loss']:.4f} top-1 {row['train_top1']:.2%}  "
        f"held-out loss {row['held_out_loss']:.4f} top-1 {row['held_out_top1']:.2%}  "
        f"{row['seconds']:.0f} s, at most {left / 60:.0f} min left"
    )
