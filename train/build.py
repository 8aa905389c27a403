"""A recipe's network in its two forms: compiled for training, and as it is deployed."""

from __future__ import annotations

import keras

from train import averaging, distill
from train.folding import fold
from train.networks import NETWORKS
from train.recipes import Recipe


def training_network(recipe: Recipe, *, classes: int = 10) -> keras.Model:
    """Build a recipe's network in the form that is trained, compiled."""
    model = NETWORKS[recipe.network].build(
        classes, precision=recipe.precision, **recipe.architecture, **recipe.training_form
    )
    optimizer = _optimizer(recipe)
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
        # On a CPU, XLA is 2.7 times slower than TensorFlow's own kernels. JAX has XLA alone.
        jit_compile="auto" if keras.backend.backend() == "jax" else False,
    )
    optimizer.build(model.trainable_variables)
    return model


def deployed_network(trained: keras.Model, recipe: Recipe, *, classes: int = 10) -> keras.Model:
    """Return the network that ships: float32, without the layers that only the training has."""
    deployed = NETWORKS[recipe.network].build(classes, **recipe.architecture)
    if len(trained.weights) != len(deployed.weights):
        fold(trained, deployed)
    else:
        deployed.set_weights(trained.get_weights())
    return deployed


def _optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    ema = {"use_ema": recipe.ema is not None, "ema_momentum": recipe.ema or 0.0}
    if recipe.optimizer == "adam":
        return averaging.Adam(recipe.learning_rate, **ema)
    optimizer = averaging.SGD(
        recipe.learning_rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=recipe.weight_decay or None,
        **ema,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer
