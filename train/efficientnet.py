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
from train.precision import Precision
from train.temperature import LAST_LAYER

NAME = "efficientnet-lite0"
SIDE = 224  # pixels; the published weights were trained at this resolution
CLASSES = 1000  # of ImageNet
FEATURES = 1280
# The network subtracts the first from each pixel and divides by the second. With uint8 input this
# is the quantization with zero point 127 and scale 1/128, exactly.
PIXEL_OFFSET, PIXEL_DIVISOR = 127, 128

_STEM_FILTERS = 32


class FeatureBlock(NamedTuple):
    """Features that one layer gives: the mean of each of its channels, divided by `size`.

    Attributes:
        layer: name of the layer.
        channels: how many features there are.
        size: that most of the layer's means have at most. Features of similar size share one int8
            scale without loss.
    """

    layer: str
    channels: int
    size: float


# What tells one's own classes apart. The last layer knows objects, as ImageNet's classes do. What
# the stages before it know of textures and colours, it partly drops. Sizes are the 99.9 % quantiles
# of the means over photographs.
FEATURE_BLOCKS = (
    FeatureBlock("head_relu", FEATURES, 4.0),
    FeatureBlock("stage7_block1_project_bn", 320, 6.0),
    FeatureBlock("stage6_block4_add", 192, 16.0),
    FeatureBlock("stage5_block3_add", 112, 10.0),
    FeatureBlock("stage4_block3_add", 80, 14.0),
)


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
    classes: int = CLASSES,
    *,
    side: int | None = SIDE,
    stage_features: bool = False,
    dropout: float = 0.2,
    frozen_stages: int | None = None,
    precision: Precision = "float32",
) -> keras.Model:
    """Build the network: 4,652,008 trainable parameters with ImageNet's 1,000 classes.

    Padding is "same" everywhere. At stride 2 it therefore pads the bottom and the right more, as
    the original does. The original's stochastic depth, which exists in training only, is left out.

    Args:
        classes: number of scores.
        side: side of the images in pixels; None takes any.
        stage_features: classify by the 1,984 features of `FEATURE_BLOCKS`, not by the 1,280 of the
            last layer alone.
        dropout: rate of the dropout before the last layer.
        frozen_stages: for fine-tuning on few images only: freeze every BatchNorm, and the stem and
            this many stages altogether. A step of training then skips the gradients of these.
        precision: of the arithmetic; variables and scores stay float32.

    Returns:
        A network whose output is scores, float32 (N, classes).
    """
    dtype = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    inputs = keras.Input((side, side, 3), name="image")
    x = layers.Rescaling(1 / PIXEL_DIVISOR, -PIXEL_OFFSET / PIXEL_DIVISOR, name="rescaled")(inputs)
    x = layers.Conv2D(
        _STEM_FILTERS, 3, 2, padding="same", use_bias=False, name="stem_conv", dtype=dtype
    )(x)
    x = _relu6(_norm(x, "stem_bn", dtype), "stem_relu", dtype)
    for number, stage in enumerate(STAGES, start=1):
        for block in range(1, stage.blocks + 1):
            stride = stage.stride if block == 1 else 1
            x = _block(x, stage, stride, f"stage{number}_block{block}", dtype)
    x = layers.Conv2D(FEATURES, 1, use_bias=False, name="head_conv", dtype=dtype)(x)
    x = _relu6(_norm(x, "head_bn", dtype), "head_relu", dtype)
    if stage_features:
        # These layers weigh differences that are too small for bfloat16.
        x, dtype = features(keras.Model(inputs, x)), "float32"
    else:
        x = layers.GlobalAveragePooling2D(name="pool", dtype=dtype)(x)
    x = layers.Dropout(dropout, name="dropout", dtype=dtype)(x)
    logits = layers.Dense(classes, name=LAST_LAYER, dtype=dtype)(x)
    scores = layers.Softmax(name="scores", dtype="float32")(logits)
    model = keras.Model(inputs, scores, name=NAME)
    if frozen_stages is not None:
        _freeze(model, frozen_stages)
    return model


def feature_extractor(network: keras.Model) -> keras.Model:
    """Return the part of an EfficientNet-Lite0 that gives features, float32 (N, 1984).

    They are those of `FEATURE_BLOCKS`, in order; an image has most of them in -1 to 1. The part
    shares its layers and weights with the network.
    """
    return keras.Model(network.input, features(network), name=f"{NAME}-features")


def features(network: keras.Model) -> keras.KerasTensor:
    """Return the tensor of a network's features; see `feature_extractor`."""
    blocks = []
    for layer, _, size in FEATURE_BLOCKS:
        means = layers.GlobalAveragePooling2D(name=f"{layer}_mean")(network.get_layer(layer).output)
        blocks.append(layers.Rescaling(1 / size, name=f"{layer}_features")(means))
    return layers.Concatenate(name="features")(blocks)


def _freeze(model: keras.Model, stages: int) -> None:
    frozen = ("stem_", *(f"stage{number}_" for number in range(1, stages + 1)))
    for layer in model.layers:
        if isinstance(layer, BatchNormalization) or layer.name.startswith(frozen):
            layer.trainable = False


def _block(
    x: keras.KerasTensor, stage: Stage, stride: int, name: str, dtype: str
) -> keras.KerasTensor:
    """Add an inverted residual block (Sandler et al. 2018, arXiv:1801.04381)."""
    inputs = x
    channels = x.shape[-1]
    if stage.expansion > 1:
        x = layers.Conv2D(
            stage.expansion * channels, 1, use_bias=False, name=f"{name}_expand_conv", dtype=dtype
        )(x)
        x = _relu6(_norm(x, f"{name}_expand_bn", dtype), f"{name}_expand_relu", dtype)
    x = layers.DepthwiseConv2D(
        stage.kernel,
        stride,
        padding="same",
        use_bias=False,
        name=f"{name}_depthwise_conv",
        dtype=dtype,
    )(x)
    x = _relu6(_norm(x, f"{name}_depthwise_bn", dtype), f"{name}_depthwise_relu", dtype)
    x = layers.Conv2D(stage.filters, 1, use_bias=False, name=f"{name}_project_conv", dtype=dtype)(x)
    x = _norm(x, f"{name}_project_bn", dtype)
    if stride == 1 and channels == stage.filters:
        x = layers.Add(name=f"{name}_add", dtype=dtype)([x, inputs])
    return x


def _norm(x: keras.KerasTensor, name: str, dtype: str) -> keras.KerasTensor:
    return BatchNormalization(momentum=0.99, epsilon=1e-3, name=name, dtype=dtype)(x)


def _relu6(x: keras.KerasTensor, name: str, dtype: str) -> keras.KerasTensor:
    return layers.ReLU(6, name=name, dtype=dtype)(x)
