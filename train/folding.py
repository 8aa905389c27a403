"""Fold a network's training-only BatchNorms and branches into its kernels and biases, and back.

In inference a BatchNorm is y = gamma (x - mean) / sqrt(variance + epsilon) + beta (Ioffe and
Szegedy 2015, arXiv:1502.03167). That is one scale and one shift a channel, and the previous layer
can take both over exactly. Linear branches on the same input add up to one convolution (Ding et
al. 2021, arXiv:2101.03697).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

_LINEAR = (keras.layers.Conv2D, keras.layers.Dense)


@dataclass(frozen=True)
class _Linear:
    """A tensor expressed as one convolution or dense layer of another tensor."""

    source: int  # id of the other tensor
    kernel: NDArray[np.float64]  # (height, width, in, out), or (in, out)
    bias: NDArray[np.float64]  # (out,)


def fold(trained: keras.Model, deployed: keras.Model) -> None:
    """Copy the weights of `trained` into `deployed` with BatchNorms folded and equal scores.

    Args:
        trained: a network in which every BatchNorm follows a convolution or dense layer, or is
            itself a branch beside one. The sum of some branches has the name of the deployed
            convolution with "_sum" appended.
        deployed: the same network with biases and fewer BatchNorms; those become identities.
    """
    linear: dict[int, _Linear] = {}  # by the id of the tensor
    folded: dict[str, _Linear] = {}  # by the name of the deployed layer
    name_of: dict[int, str] = {}
    for layer in trained.layers:
        output = id(layer.output)
        if isinstance(layer, _LINEAR):
            weights = [np.asarray(w, np.float64) for w in layer.get_weights()]
            bias = weights[1] if layer.use_bias else np.zeros(weights[0].shape[-1])
            linear[output] = _Linear(id(layer.input), weights[0], bias)
            name_of[output] = layer.name
        elif isinstance(layer, keras.layers.BatchNormalization):
            before = linear.get(id(layer.input)) or _identity(layer)
            linear[output] = _normalised(before, layer)
            name_of[output] = name_of.get(id(layer.input), layer.name)
        elif isinstance(layer, keras.layers.Add) and layer.name.endswith("_sum"):
            linear[output] = _sum([linear[id(branch)] for branch in layer.input])
            name_of[output] = layer.name.removesuffix("_sum")
        if output in linear:
            folded[name_of[output]] = linear[output]
    for layer in deployed.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = layer.get_weights()[0].shape
            one, zero = np.ones(channels), np.zeros(channels)
            layer.set_weights([one, zero, zero, one - layer.epsilon])
        elif layer.name in folded:
            layer.set_weights([folded[layer.name].kernel, folded[layer.name].bias])


def unfold(deployed: keras.Model, trained: keras.Model) -> None:
    """Copy the weights of `deployed` into its training form, with equal scores: `fold` backwards.

    A branch begins without any effect, the gamma and beta of its last BatchNorm at 0, and keeps its
    random kernel.

    Args:
        deployed: as for `fold`; each of its BatchNorms follows a convolution.
        trained: as for `fold`; a layer without a bias is followed by a BatchNorm.
    """
    norm_after = {before.name: norm for before, norm in _norms(deployed)}
    linear = {layer.name: layer for layer in deployed.layers if isinstance(layer, _LINEAR)}
    for layer in trained.layers:
        if layer.name in linear and layer.use_bias:
            layer.set_weights(linear[layer.name].get_weights())
    for before, norm in _norms(trained):
        one, zero = np.ones(norm.gamma.shape), np.zeros(norm.gamma.shape)
        if before.name not in linear:
            norm.set_weights([zero, zero, zero, one])
            continue
        kernel, bias = linear[before.name].get_weights()
        if before.name in norm_after:
            kernel, bias = absorb(kernel, bias, norm_after[before.name])
        before.set_weights([kernel])
        norm.set_weights([one, bias, zero, one - norm.epsilon])


def _norms(model: keras.Model) -> Iterator[tuple[keras.Layer, keras.layers.BatchNormalization]]:
    """Yield each BatchNorm of a model, after the layer before it."""
    producer = {id(layer.output): layer for layer in model.layers}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            yield producer[id(layer.input)], layer


def absorb(
    kernel: NDArray[np.float64], bias: NDArray[np.float64], norm: keras.layers.BatchNormalization
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fold the BatchNorm after a layer into the layer's kernel (..., out) and bias (out,)."""
    gamma, beta, mean, variance = (np.asarray(w, np.float64) for w in norm.get_weights())
    scale = gamma / np.sqrt(variance + norm.epsilon)
    return kernel * scale, (bias - mean) * scale + beta


def _identity(layer: keras.layers.BatchNormalization) -> _Linear:
    channels = layer.input.shape[-1]
    return _Linear(id(layer.input), np.eye(channels)[np.newaxis, np.newaxis], np.zeros(channels))


def _normalised(before: _Linear, layer: keras.layers.BatchNormalization) -> _Linear:
    return _Linear(before.source, *absorb(before.kernel, before.bias, layer))


def _sum(branches: list[_Linear]) -> _Linear:
    """Add convolutions of the same tensor; smaller kernels are centred in the largest."""
    assert len({branch.source for branch in branches}) == 1  # as architectures.py builds them
    size = max(branch.kernel.shape[0] for branch in branches)
    kernel = np.zeros((size, size, *branches[0].kernel.shape[2:]))
    for branch in branches:
        edge = (size - branch.kernel.shape[0]) // 2
        kernel[edge : size - edge, edge : size - edge] += branch.kernel
    return _Linear(branches[0].source, kernel, np.sum([b.bias for b in branches], axis=0))
