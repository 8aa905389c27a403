"""Train the head that tells a network's classes from outliers; the network stays as it is.

The head learns from what the network computes, so an epoch is one forward pass. Its loss is that of
logistic regression, with the outliers weighted as the recipe says:

    loss = mean -log(inside) of the images + weight x mean -log(1 - inside) of the outliers

The weight is thus the odds of meeting an outlier for which `inside` is a probability.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.support.metrics import cross_entropy, top1
from train import checkpoint, outliers, views, weights
from train.build import optimizer_of
from train.checkpoint import State
from train.dataset import Split, digest
from train.evaluation import predict
from train.fit import epoch_line, make_deterministic
from train.networks import NETWORKS, batches_of
from train.outlier_head import PREFIX, parts, set_weights, without
from train.outlier_views import OutlierViews
from train.recipe import Recipe
from train.schedule import learning_rate

_LEAST_VARIANCE = 1e-6  # of a channel that is always 0


class OutlierHeadTraining:
    """A training of the head alone, with the methods of `train.fit.Training`.

    Attributes:
        identity: what decides the weights besides the recipe: `seed`, and the sha256 of the
            `images`, of `start_from` and of the `outliers`.
    """

    def __init__(
        self,
        recipe: Recipe,
        train: Split,
        held_out: Split,
        *,
        classes: int,
        seed: int,
        start_from: Path,
        sources: outliers.Outliers,
    ) -> None:
        """Load the network.

        Args:
            start_from: its checkpoint, with or without a head.
            sources: the outliers.

        Raises:
            CheckpointError: `start_from` cannot be used.
            ValueError: there are no outliers.
        """
        if not sources:
            raise ValueError("Expected outliers, because the head learns from them.")
        self._recipe, self._classes, self._seed = recipe, classes, seed
        self._train, self._held_out, self._start_from = train, held_out, start_from
        make_deterministic(seed)
        self._network = self._build()
        self._parts = parts(self._network)
        read = keras.ops.concatenate([layer.input for layer in self._parts], axis=1)
        self._reader = keras.Model(self._network.inputs, read, name=self._network.name)
        self._moments = layers.BatchNormalization(
            epsilon=0, center=False, scale=False, trainable=False
        )
        self._hidden = layers.Dense(self._parts[0].units, activation="relu")
        self._logit = layers.Dense(1)
        self._head = self._build_head()
        self._outlier_views = OutlierViews(recipe, sources, seed)
        self.identity: dict[str, int | str] = {
            "seed": seed,
            "images": digest(train, held_out),
            "start_from": weights.file_hash(start_from),
            "outliers": outliers.digest(sources),
        }

    def fit(
        self, run_dir: Path, *, say: Callable[[str], None] = print
    ) -> tuple[keras.Model, State]:
        """Train, and return the network with its head, and the run's history.

        A checkpoint is written to `run_dir` after every epoch; if one is there, it is resumed.

        Args:
            say: takes one line of progress an epoch.

        Raises:
            CheckpointError: the checkpoint in `run_dir` is damaged or cannot be written.
            ResumeError: it belongs to another recipe, seed or data set.
        """
        recipe, path = self._recipe, run_dir / checkpoint.FILE
        identity = json.dumps({"recipe": recipe.choices()} | self.identity)
        state = State(learning_rate=recipe.learning_rate)
        if path.exists():
            state, _ = checkpoint.restore(path, self._head, lambda _: identity)
            say(f"resuming after epoch {state.epoch} of {recipe.epochs}")
        else:
            say(f"{self._start_from}: all weights loaded; they stay as they are")
        scores = predict(without(self._network), self._held_out.images)
        held_out = self._features(self._held_out.images)
        while state.epoch < recipe.epochs:
            started = time.monotonic()
            row = self._train_epoch(state)
            judged = scores * self._inside(held_out)
            row |= {
                "held_out_loss": cross_entropy(judged, self._held_out.labels),
                "held_out_top1": top1(judged, self._held_out.labels),
            }
            state.seconds += time.monotonic() - started
            state.epoch += 1
            state.history.append(row)
            checkpoint.save(path, self._head, state, None, identity)
            say(epoch_line(recipe, state, row, full_side=self._train.images.shape[1]))
        network = self._build("float32")
        self._write_head(network)
        return network, state

    def _build(self, precision: str | None = None) -> keras.Model:
        network = NETWORKS[self._recipe.network].build(
            self._classes,
            precision=precision or self._recipe.precision,
            **self._recipe.architecture,
        )
        weights.load(network, self._start_from, but=PREFIX)
        return network

    def _build_head(self) -> keras.Model:
        """Build the head on the features of all parts, which it normalises first."""
        inputs = keras.Input((sum(layer.input.shape[-1] for layer in self._parts),))
        head = keras.Model(inputs, self._logit(self._hidden(self._moments(inputs))))
        optimizer = optimizer_of(self._recipe)
        head.compile(
            optimizer,
            loss=keras.losses.BinaryCrossentropy(from_logits=True),
            weighted_metrics=[keras.metrics.BinaryAccuracy("top1", threshold=0.0)],
            jit_compile="auto" if keras.backend.backend() == "jax" else False,
        )
        optimizer.build(head.trainable_variables)
        return head

    def _features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the head reads of images, float32 (N, features)."""
        found = np.empty((len(images), self._head.input_shape[1]), np.float32)
        done = 0
        with tqdm(total=len(images), unit="img", disable=None, leave=False) as bar:
            for batch in batches_of(self._network, images):
                found[done : done + len(batch)] = self._reader.predict_on_batch(batch)
                done += len(batch)
                bar.update(len(batch))
        return found

    def _inside(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how likely images are of the classes, (N, 1), 0-1."""
        logits = self._head.predict_on_batch(features)
        return np.asarray(keras.ops.sigmoid(logits))

    def _train_epoch(self, state: State) -> dict[str, float]:
        recipe, train = self._recipe, self._train
        started = time.monotonic()
        view = views.make(recipe, train, self._classes, self._seed, state.epoch, side=None)
        images = self._outlier_views.shown(view.images, state.epoch)
        others = self._outlier_views.outliers(state.epoch, train.images)
        data_seconds = time.monotonic() - started
        features = self._features(np.concatenate([images, others]))
        inside = np.arange(len(features)) < len(images)
        if not state.epoch:
            self._take_moments(features)
        # The mean over the outliers has the recipe's weight beside the mean over the images.
        weight = np.where(inside, 1, recipe.outlier_weight * len(images) / len(others))
        order = np.random.default_rng([self._seed, state.epoch, 1]).permutation(len(features))
        steps = math.ceil(len(features) / recipe.batch_size)
        loss = correct = 0.0
        for step in range(steps):
            chosen = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            rate = learning_rate(recipe, state, step, steps)
            self._head.optimizer.learning_rate.assign(rate)
            logs = self._head.train_on_batch(
                features[chosen],
                inside[chosen, np.newaxis].astype(np.float32),
                sample_weight=weight[chosen].astype(np.float32),
                return_dict=True,
            )
            loss += float(logs["loss"]) * len(chosen)
            correct += float(logs["top1"]) * len(chosen)
        return {
            "learning_rate": rate,
            "train_loss": loss / len(features),
            "train_top1": correct / len(features),
            "data_seconds": data_seconds,
            "seconds": time.monotonic() - started,
        }

    def _take_moments(self, features: NDArray[np.float32]) -> None:
        """Normalise features by the mean and the variance that they have here."""
        variance = np.maximum(features.var(axis=0), _LEAST_VARIANCE)
        self._moments.set_weights([features.mean(axis=0), variance])

    def _write_head(self, network: keras.Model) -> None:
        """Set the weights of a network's head, with the normalization folded into its kernels."""
        mean, variance = (np.asarray(w, np.float64) for w in self._moments.get_weights())
        kernel, bias = (np.asarray(w, np.float64) for w in self._hidden.get_weights())
        kernel = kernel / np.sqrt(variance)[:, np.newaxis]
        ends = np.cumsum([layer.input.shape[-1] for layer in parts(network)])[:-1]
        kernels = np.split(kernel, ends)
        biases = [
            -of_part @ own for of_part, own in zip(np.split(mean, ends), kernels, strict=True)
        ]
        biases[0] += bias
        set_weights(network, kernels, biases, self._logit.get_weights())
