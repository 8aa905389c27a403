"""The exponential average of the weights: how it is kept, and how a network takes it on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from train.normalization import estimate_moments

_IMAGES_FOR_MOMENTS = 5000


class _Averaging:
    """An optimizer's average that leaves the first steps behind.

    decay = min(ema_momentum, (1 + t) / (10 + t)) after t steps, as with `num_updates` in TensorFlow
    1's ExponentialMovingAverage: it reaches back over a ninth of the steps so far or so, and at
    0.999 over no more than a thousand. With Keras' constant decay of 0.999, a run of 700 steps
    would end with weights that are half the first ones.
    """

    def _update_model_variables_moving_average(self: Any, trainable_variables: Sequence) -> None:
        steps = ops.cast(self.iterations, "float32")
        decay = ops.minimum(self.ema_momentum, (1 + steps) / (10 + steps))
        averages = self._model_variables_moving_average
        for variable, average in zip(trainable_variables, averages, strict=True):
            average.assign(decay * average + (1 - decay) * variable)


class SGD(_Averaging, keras.optimizers.SGD):
    """Gradient descent that may average the weights."""


class Adam(_Averaging, keras.optimizers.Adam):
    """Adam that may average the weights."""


def take_average(model: keras.Model, images: NDArray[np.uint8], seed: int) -> None:
    """Give a model its averaged weights, and its BatchNorms the moments that belong to them.

    Args:
        model: compiled with an optimizer from here, `use_ema` set.
        images: uint8 (N, side, side, 3), RGB, to train on; some of them give the moments.
        seed: decides which.
    """
    # Keras' own SwapEMAWeights (3.15) does not swap back after `predict`, and rounds.
    model.optimizer.finalize_variable_values(model.trainable_variables)
    model.set_weights(model.get_weights())  # copies: JAX gives weight and average one buffer
    chosen = np.random.default_rng(seed).permutation(len(images))[:_IMAGES_FOR_MOMENTS]
    estimate_moments(model, images[chosen])
