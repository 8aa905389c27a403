"""The networks, one definition each.

Inputs are float32 (N, 32, 32, 3), RGB, 0-1; outputs are float32 (N, classes) scores.
"""

from __future__ import annotations

from typing import Literal

import keras
from keras import layers

_FILTERS = (32, 64, 128)


def simple_cnn(
    classes: int = 10,
    *,
    dropout_blocks: float = 0.25,
    dropout_head: float = 0.5,
    norm: Literal["block", "every"] = "block",
    precision: Literal["float32", "bfloat16"] = "float32",
) -> keras.Model:
    """Build the seed document's CNN: 551,466 parameters, 551,018 of them trainable.

    Three blocks of two 3 x 3 convolutions with one BatchNorm, then two dense layers; 38.9
    million multiply-adds an image.

    Args:
        norm: "block" is the network that is deployed. "every" is a form for training only, with
            a BatchNorm after every convolution and the first dense layer, and no biases there;
            `train.folding.fold` turns it into the deployed one with equal scores.
        precision: of the arithmetic; variables and scores stay float32.
    """
    every = norm == "every"
    dtype = "mixed_bfloat16" if precision == "bfloat16" else "float32"

    def normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.BatchNormalization(name=name, dtype=dtype)(x)

    inputs = x = keras.Input((32, 32, 3), name="image")
    for block, filters in enumerate(_FILTERS, start=1):
        for conv in (1, 2):
            name = f"block{block}_conv{conv}"
            x = layers.Conv2D(
                filters, 3, padding="same", use_bias=not every, name=name, dtype=dtype
            )(x)
            if every or conv == 1:
                x = normalised(x, f"block{block}_bn{conv}")
            x = layers.ReLU(name=f"block{block}_relu{conv}", dtype=dtype)(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool", dtype=dtype)(x)
        x = layers.Dropout(dropout_blocks, name=f"block{block}_dropout", dtype=dtype)(x)
    x = layers.Flatten(name="flatten", dtype=dtype)(x)
    x = layers.Dense(128, use_bias=not every, name="dense", dtype=dtype)(x)
    if every:
        x = normalised(x, "dense_bn")
    x = layers.ReLU(name="dense_relu", dtype=dtype)(x)
    x = layers.Dropout(dropout_head, name="dropout", dtype=dtype)(x)
    logits = layers.Dense(classes, name="logits", dtype=dtype)(x)
    scores = layers.Softmax(name="scores", dtype="float32")(logits)
    return keras.Model(inputs, scores, name="cnn")
