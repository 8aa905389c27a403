"""BatchNorm as Keras defines it, computed faster where TensorFlow trains it, and its moments."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

_BATCH = 500  # images

# Keras composes BatchNorm of a dozen operations, each of which reads the whole activations.
# TensorFlow has one kernel for all of them, for images: `python -m benchmarks.training` compares.


class BatchNormalization(layers.BatchNormalization):
    """`keras.layers.BatchNormalization` of the last axis, with equal results up to rounding."""

    def call(
        self, inputs: keras.KerasTensor, training: bool | None = None, mask: Any = None
    ) -> keras.KerasTensor:
        """Normalise float32 or bfloat16 (N, ..., channels), in training by the batch's moments."""
        fused = keras.backend.backend() == "tensorflow" and len(inputs.shape) == 4
        if not (training and self.trainable and fused):
            return super().call(inputs, training=training, mask=mask)
        import tensorflow as tf

        none = tf.zeros([0])  # moments to go on from: those of this batch alone are wanted
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
        variance *= (values - 1) / values  # the kernel divided by one less, as an estimate of all
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving * self.momentum + batch * (1.0 - self.momentum))
        return normalised


def estimate_moments(model: keras.Model, images: NDArray[np.uint8]) -> None:
    """Set every BatchNorm's mean and variance to what its inputs have on some images.

    Averaged weights need it: the moments that training followed are those of other weights
    (Izmailov et al. 2018, arXiv:1803.05407, section 3.2). Dropout rests meanwhile.

    Args:
        images: uint8 (N, H, W, 3), RGB.
    """
    norms = [n for n in model.layers if isinstance(n, layers.BatchNormalization)]
    if not norms:
        return
    dropouts = [d for d in model.layers if isinstance(d, layers.Dropout)]
    momenta, rates = [n.momentum for n in norms], [d.rate for d in dropouts]
    for dropout in dropouts:
        dropout.rate = 0
    for number, batch in enumerate(np.array_split(images, -(-len(images) // _BATCH))):
        for norm in norms:
            norm.momentum = number / (number + 1)  # all batches weigh the same in the end
        model(batch.astype(np.float32) / 255, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for dropout, rate in zip(dropouts, rates, strict=True):
        dropout.rate = rate
