"""BatchNorm as Keras defines it but faster in training with TensorFlow, and its moments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

# Keras composes BatchNorm of a dozen operations, and each reads all activations. TensorFlow has one
# kernel for all of them, for 4-dimensional inputs: `python -m benchmarks.training` compares both.


class BatchNormalization(layers.BatchNormalization):
    """`keras.layers.BatchNormalization` of the last axis; results differ by rounding only."""

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: Any = None
    ) -> keras.KerasTensor:
        """Normalise float32 or bfloat16 (N, ..., channels), in training by the batch's moments."""
        fused = keras.backend.backend() == "tensorflow" and len(inputs.shape) == 4
        if not (training and self.trainable and fused):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        none = tf.zeros([0])  # no moments to start from: only this batch counts
        normalised, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=ops.convert_to_tensor(self.gamma),
            offset=ops.convert_to_tensor(self.beta),
            mean=none,
            variance=none,
            epsilon=self.epsilon,
            is_training=True,
        )
        values = tf.cast(tf.size(inputs) // tf.shape(inputs)[-1], tf.float32)
        variance *= (values - 1) / values  # the kernel divides by values - 1, Keras by values
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return normalised


def estimate_moments(model: keras.Model, batches: Iterable[NDArray[np.float32]]) -> None:
    """Set the moments of every BatchNorm that is not frozen to those of its inputs on images.

    Averaged weights need this, because the moments that training kept belong to other weights
    (Izmailov et al. 2018, arXiv:1803.05407, section 3.2). Dropout is off meanwhile.

    Args:
        batches: the images as the model takes them, float32 (N, H, W, 3); all batches weigh the
            same.
    """
    norms = [n for n in model.layers if isinstance(n, layers.BatchNormalization) and n.trainable]
    if not norms:
        return
    dropouts = [d for d in model.layers if isinstance(d, layers.Dropout)]
    momenta, rates = [n.momentum for n in norms], [d.rate for d in dropouts]
    for dropout in dropouts:
        dropout.rate = 0
    for number, batch in enumerate(batches):
        for norm in norms:
            norm.momentum = number / (number + 1)  # so that all batches weigh the same
        model(batch, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for dropout, rate in zip(dropouts, rates, strict=True):
        dropout.rate = rate
