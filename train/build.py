"""A recipe's network in its two forms: compiled for training, and as it is deployed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from train import averaging, distill, exposure
from train.folding import fold
from train.networks import NETWORKS
from train.recipe import Recipe


def training_network(recipe: Recipe, *, classes: int = 10) -> keras.Model:
    """Build a recipe's network in the form that is trained, compiled."""
    model = NETWORKS[recipe.network].build(
        classes, precision=recipe.precision, **recipe.architecture, **recipe.training_form
    )
    optimizer = optimizer_of(recipe)
    loss: keras.losses.Loss = keras.losses.CategoricalCrossentropy()
    top1: Callable[[Any, Any], Any] = keras.metrics.categorical_accuracy
    if recipe.teacher:
        loss = distill.DistillationLoss(recipe.temperature, recipe.teacher_weight)
        top1 = distill.top1
    if recipe.outlier_weight:
        loss = exposure.OutlierExposure(loss, recipe.outlier_weight)
        top1 = exposure.images_only(top1)
    model.compile(
        optimizer,
        loss=loss,
        metrics=[keras.metrics.MeanMetricWrapper(top1, name="top1")],
        # On a CPU, XLA is 2.7 times slower than TensorFlow's own kernels. JAX has XLA alone.
        jit_compile="auto" if keras.backend.backend() == "jax" else False,
    )
    optimizer.build(model.trainable_variables)
    return model


def deployed_form(recipe: Recipe, *, classes: int = 10) -> keras.Model:
    """Build a recipe's network as it ships: float32, without the layers for training alone."""
    return NETWORKS[recipe.network].build(classes, **recipe.architecture)


def deployed_network(trained: keras.Model, recipe: Recipe, *, classes: int = 10) -> keras.Model:
    """Return a trained network in its deployed form, with equal scores."""
    deployed = deployed_form(recipe, classes=classes)
    if len(trained.weights) != len(deployed.weights):
        fold(trained, deployed)
    else:
        deployed.set_weights(trained.get_weights())
    return deployed


def optimizer_of(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Return a recipe's optimizer; the training sets the rate of each step."""
    shared: dict[str, Any] = {
        "use_ema": recipe.ema is not None,
        "ema_momentum": recipe.ema or 0.0,
    }
    if recipe.optimizer == "adam":
        return averaging.Adam(recipe.learning_rate, **shared)
    optimizer = averaging.SGD(
        recipe.learning_rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=recipe.weight_decay or None,
        **shared,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
