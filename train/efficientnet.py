"""EfficientNet-Lite0, and the feature extractor that is part of it.

It is EfficientNet-B0 (Tan and Le 2019, arXiv:1905.11946) as Google changed it for TFLite: without
squeeze-and-excitation, and with ReLU6 instead of swish. Names and layout are our own;
`train.efficientnet_original` knows those of the published weights.

Images are float32 (N, side, side, 3), RGB, 0-255: raw pixels, unlike the networks of
`train.architectures`.
"""

from __future__ import annotations

from typing import NamedTuple

import keras
from keras import layers

from train.normalization import BatchNormalization

NAME = "efficientnet-lite0"
SIDE = 224  # pixels; the published weights were trained at this resolution
CLASSES = 1000  # of ImageNet
FEATURES = 1280
# The network subtracts the first from each pixel and divides by the second. With uint8 input this
# is the quantization with zero point 127 and scale 1/128, exactly.
PIXEL_OFFSET, PIXEL_DIVISOR = 127, 128

_STEM_FILTERS = 32


class Stage(NamedTuple):
    """Blocks that follow each other and have the same output shape.

    Attributes:
        blocks: how many there are.
        kernel: side of the depthwise kernels.
        stride: of the first block; the others have stride 1.
        expansion: factor by which a block widens its input first.
        filters: channels of each block's output.
    """

    blocks: int
    kernel: int
    stride: int
    expansion: int
    filters: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def efficientnet_lite0(
    classes: int = CLASSES, *, side: int | None = SIDE, dropout: float = 0.2
) -> keras.Model:
    """Build the network: 4,652,008 trainable parameters with ImageNet's 1,000 classes.

    Padding is "same" everywhere. At stride 2 it therefore pads the bottom and the right more, as
    the original does. The original's stochastic depth, which exists in training only, is left out.

    Args:
        classes: number of scores.
        side: side of the images in pixels; None takes any.
        dropout: rate of the dropout before the last layer.

    Returns:
        A network whose output is scores, float32 (N, classes).
    """
    inputs = keras.Input((side, side, 3), name="image")
    x = layers.Rescaling(1 / PIXEL_DIVISOR, -PIXEL_OFFSET / PIXEL_DIVISOR, name="rescaled")(inputs)
    x = layers.Conv2D(_STEM_FILTERS, 3, 2, padding="same", use_bias=False, name="stem_conv")(x)
    x = _relu6(_norm(x, "stem_bn"), "stem_relu")
    for number, stage in enumerate(STAGES, start=1):
        for block in range(1, stage.blocks + 1):
            x = _block(x, stage, stage.stride if block == 1 else 1, f"stage{number}_block{block}")
    x = layers.Conv2D(FEATURES, 1, use_bias=False, name="head_conv")(x)
    x = _relu6(_norm(x, "head_bn"), "head_relu")
    features = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(features)
    logits = layers.Dense(classes, name="logits")(x)
    scores = layers.Softmax(name="scores")(logits)
    return keras.Model(inputs, scores, name=NAME)


def feature_extractor(network: keras.Model) -> keras.Model:
    """Return the part of an EfficientNet-Lite0 that gives features, float32 (N, 1280), 0-6.

    It shares its layers and weights with the network.
    """
    return keras.Model(network.input, network.get_layer("pool").output, name=f"{NAME}-features")


def _block(x: keras.KerasTensor, stage: Stage, stride: int, name: str) -> keras.KerasTensor:
    """Add an inverted residual block (Sandler et al. 2018, arXiv:1801.04381)."""
    inputs = x
    channels = x.shape[-1]
    if stage.expansion > 1:
        x = layers.Conv2D(
            stage.expansion * channels, 1, use_bias=False, name=f"{name}_expand_conv"
        )(x)
        x = _relu6(_norm(x, f"{name}_expand_bn"), f"{name}_expand_relu")
    x = layers.DepthwiseConv2D(
        stage.kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _relu6(_norm(x, f"{name}_depthwise_bn"), f"{name}_depthwise_relu")
    x = layers.Conv2D(stage.filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _norm(x, f"{name}_project_bn")
    if stride == 1 and channels == stage.filters:
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def _norm(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return BatchNormalization(momentum=0.99, epsilon=1e-3, name=name)(x)


def _relu6(x: keras.KerasTensor, name: str) -> keras.KerasTensor:
    return layers.ReLU(6, name=name)(x)
