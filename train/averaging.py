"""The exponential average of the weights: how it is kept, and how a network takes it over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from train.networks import batches_of
from train.normalization import estimate_moments

IMAGES_FOR_MOMENTS = 5000


class _Averaging:
    """An optimizer whose average forgets the first steps.

    decay = min(ema_momentum, (1 + t) / (10 + t)) after t steps, as with `num_updates` in TensorFlow
    1's ExponentialMovingAverage. The average reaches back over about a ninth of the steps so far;
    with an ema_momentum of 0.999, over a thousand steps at most. With Keras' constant decay of
    0.999, half the weights after 700 steps would be the initial ones.
    """

    def _update_model_variables_moving_average(self: Any, trainable_variables: Sequence) -> None:
        steps = ops.cast(self.iterations, "float32")
        decay = ops.minimum(self.ema_momentum, (1 + steps) / (10 + steps))
        averages = self._model_variables_moving_average
        for variable, average in zip(trainable_variables, averages, strict=True):
            average.assign(decay * average + (1 - decay) * variable)


class SGD(_Averaging, keras.optimizers.SGD):
    """Stochastic gradient descent that can average the weights."""


class Adam(_Averaging, keras.optimizers.Adam):
    """Adam that can average the weights."""


def take_average(model: keras.Model, images: NDArray[np.uint8], seed: int) -> None:
    """Set a model's weights to their average, and the moments of its BatchNorms to match.

    Args:
        model: compiled with an optimizer of this module, with `use_ema` set.
        images: uint8 (N, side, side, 3), RGB, the training images; a sample gives the moments.
        seed: determines the sample.
    """
    # Not Keras' SwapEMAWeights (3.15), because it rounds, and does not swap back after `predict`.
    model.optimizer.finalize_variable_values(model.trainable_variables)
    model.set_weights(model.get_weights())  # copy, because JAX shares one buffer
    chosen = np.random.default_rng(seed).permutation(len(images))[:IMAGES_FOR_MOMENTS]
    estimate_moments(model, batches_of(model, images[chosen]))
