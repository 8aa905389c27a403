"""The networks for CIFAR-10, one definition each.

Inputs are float32 (N, 32, 32, 3), RGB, 0-1; outputs are scores, float32 (N, classes). Arithmetic
is float32 or, for faster training, bfloat16; variables and scores stay float32.
"""

from __future__ import annotations

import math
from typing import Literal

import keras
from keras import layers

from train.normalization import BatchNormalization
from train.outlier_head import judged, maxima, means
from train.precision import Precision

_CNN_FILTERS = (32, 64, 128)
_RESNET_FILTERS = (64, 128, 256, 512)


def simple_cnn(
    classes: int = 10,
    *,
    dropout_blocks: float = 0.25,
    dropout_head: float = 0.5,
    norm: Literal["block", "every"] = "block",
    branches: bool = False,
    outlier_head: int = 0,
    precision: Precision = "float32",
) -> keras.Model:
    """Build the seed document's CNN: 551,466 parameters, 551,018 of them trainable.

    It has three blocks of two 3 x 3 convolutions with one BatchNorm, then two dense layers: 38.9
    million multiply-adds an image.

    Args:
        dropout_blocks: rate of the dropout after each block.
        dropout_head: rate of the dropout before the last layer.
        norm: "block" is the network that is deployed. "every" is a form for training only, with
            a BatchNorm after every convolution and the first dense layer, and no biases there.
            `train.folding.fold` turns it into the deployed one with equal scores.
        branches: add paths beside each 3 x 3 convolution, for training with norm "every" only: a
            1 x 1 convolution and, if the number of channels stays the same, a direct path, each
            with its BatchNorm (Ding et al. 2021, arXiv:2101.03697). `fold` removes them as well.
        outlier_head: width of a head that tells outliers apart, see `train.outlier_head`; 0 for
            none.
    """
    every = norm == "every"
    dtype = _dtype(precision)

    def normalised(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return BatchNormalization(name=name, dtype=dtype)(x)

    def convolved(x: keras.KerasTensor, filters: int, size: int, name: str) -> keras.KerasTensor:
        return layers.Conv2D(
            filters, size, padding="same", use_bias=not every, name=name, dtype=dtype
        )(x)

    blocks = {}
    inputs = x = keras.Input((32, 32, 3), name="image")
    for block, filters in enumerate(_CNN_FILTERS, start=1):
        for conv in (1, 2):
            name = f"block{block}_conv{conv}"
            before = x
            x = convolved(before, filters, 3, name)
            if every or conv == 1:
                x = normalised(x, f"block{block}_bn{conv}")
            if branches:
                paths = [
                    x,
                    normalised(convolved(before, filters, 1, f"{name}_1x1"), f"{name}_1x1_bn"),
                ]
                if before.shape[-1] == filters:
                    paths.append(normalised(before, f"{name}_direct_bn"))
                x = layers.Add(name=f"{name}_sum", dtype=dtype)(paths)
            x = layers.ReLU(name=f"block{block}_relu{conv}", dtype=dtype)(x)
        x = layers.MaxPooling2D(name=f"block{block}_pool", dtype=dtype)(x)
        blocks[f"block{block}"] = x
        x = layers.Dropout(dropout_blocks, name=f"block{block}_dropout", dtype=dtype)(x)
    x = layers.Flatten(name="flatten", dtype=dtype)(x)
    x = layers.Dense(128, use_bias=not every, name="dense", dtype=dtype)(x)
    if every:
        x = normalised(x, "dense_bn")
    features = x = layers.ReLU(name="dense_relu", dtype=dtype)(x)
    x = layers.Dropout(dropout_head, name="dropout", dtype=dtype)(x)
    logits = layers.Dense(classes, name="logits", dtype=dtype)(x)
    scores = layers.Softmax(name="scores", dtype="float32")(logits)
    if outlier_head:
        taps = means(blocks) | maxima(blocks) | {"features": features}
        scores = judged(scores, taps, outlier_head)
    return keras.Model(inputs, scores, name="cnn")


def resnet18(
    classes: int = 10,
    *,
    stem: Literal["cifar", "imagenet"] = "cifar",
    side: int | None = 32,
    zero_init_residual: bool = False,
    outlier_head: int = 0,
    precision: Precision = "float32",
) -> keras.Model:
    """Build ResNet18 (He et al. 2015, arXiv:1512.03385).

    Padding and BatchNorm follow torchvision's, so that its ImageNet weights fit.

    Args:
        stem: "cifar", 3 x 3 at stride 1 without max-pooling: 11,173,962 trainable parameters and
            556 million multiply-adds an image, the network that ships. "imagenet", 7 x 7 at
            stride 2 with max-pooling: the 11,181,642 parameters of the seed document's table.
        side: side of the images in pixels; None takes any, to train at low resolution.
        zero_init_residual: start every block as the identity, its last BatchNorm's gamma at 0
            (Goyal et al. 2017, arXiv:1706.02677).
        outlier_head: width of a head that tells outliers apart, see `train.outlier_head`; 0 for
            none.
    """
    dtype = _dtype(precision)

    def conv(
        x: keras.KerasTensor, filters: int, size: int, stride: int, name: str
    ) -> keras.KerasTensor:
        if stride > 1 and size > 1:  # because "same" pads one side only
            x = layers.ZeroPadding2D(size // 2, name=f"{name}_pad", dtype=dtype)(x)
        return layers.Conv2D(
            filters,
            size,
            stride,
            padding="same" if stride == 1 else "valid",
            use_bias=False,
            kernel_initializer=keras.initializers.VarianceScaling(2.0, "fan_out"),
            name=name,
            dtype=dtype,
        )(x)

    def norm(x: keras.KerasTensor, name: str, gamma: str = "ones") -> keras.KerasTensor:
        return BatchNormalization(
            momentum=0.9, epsilon=1e-5, gamma_initializer=gamma, name=name, dtype=dtype
        )(x)

    def relu(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
        return layers.ReLU(name=name, dtype=dtype)(x)

    def block(x: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
        shortcut = x
        x = relu(norm(conv(x, filters, 3, stride, f"{name}_conv1"), f"{name}_bn1"), f"{name}_relu1")
        last_gamma = "zeros" if zero_init_residual else "ones"
        x = norm(conv(x, filters, 3, 1, f"{name}_conv2"), f"{name}_bn2", last_gamma)
        if stride > 1:
            shortcut = conv(shortcut, filters, 1, stride, f"{name}_shortcut")
            shortcut = norm(shortcut, f"{name}_shortcut_bn")
        return relu(layers.Add(name=f"{name}_add", dtype=dtype)([x, shortcut]), f"{name}_relu2")

    inputs = x = keras.Input((side, side, 3), name="image")
    x = conv(x, 64, 3, 1, "stem_conv") if stem == "cifar" else conv(x, 64, 7, 2, "stem_conv")
    x = relu(norm(x, "stem_bn"), "stem_relu")
    if stem == "imagenet":
        x = layers.ZeroPadding2D(1, name="stem_pool_pad", dtype=dtype)(x)  # 0 is the minimum
        x = layers.MaxPooling2D(3, 2, name="stem_pool", dtype=dtype)(x)
    stages = {}
    for stage, filters in enumerate(_RESNET_FILTERS, start=1):
        x = block(x, filters, 1 if stage == 1 else 2, f"stage{stage}_block1")
        stages[f"stage{stage}"] = x = block(x, filters, 1, f"stage{stage}_block2")
    del stages["stage4"]  # its mean is `pooled`
    pooled = layers.GlobalAveragePooling2D(name="pool", dtype=dtype)(x)
    logits = layers.Dense(classes, name="logits", dtype=dtype)(pooled)
    scores = layers.Softmax(name="scores", dtype="float32")(logits)
    if outlier_head:
        scores = judged(scores, means(stages) | {"features": pooled}, outlier_head)
    return keras.Model(inputs, scores, name="resnet18")


def layer_table(model: keras.Model) -> str:
    """Return a table of a network's layers: name, kind, output shape and parameters."""
    lines = [f"{'layer':<24}{'kind':<24}{'output':<20}{'parameters':>12}"]
    for layer in model.layers:
        shape = "x".join(str(n) for n in layer.output.shape[1:])
        kind = type(layer).__name__
        lines.append(f"{layer.name:<24}{kind:<24}{shape:<20}{layer.count_params():>12,}")
    trainable = sum(math.prod(w.shape) for w in model.trainable_weights)
    total = model.count_params()
    lines.append(f"{total:,} parameters: {trainable:,} trainable, {total - trainable:,} not")
    return "\n".join(lines)


def _dtype(precision: Precision) -> str:
    return "mixed_bfloat16" if precision == "bfloat16" else "float32"
