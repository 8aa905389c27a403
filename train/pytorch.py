"""How PyTorch names and lays out what Keras keeps too, which published weights need."""

from __future__ import annotations

from numpy.typing import NDArray

_KINDS = {
    "kernel": "weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def torch_kind(kind: str) -> str:
    """Return PyTorch's name of a layer's weight, such as `running_var` for `moving_variance`."""
    return _KINDS.get(kind, kind)


def as_keras(tensor: NDArray, *, depthwise: bool = False) -> NDArray:
    """Return a PyTorch tensor in Keras's layout.

    Args:
        tensor: a kernel (out, in, height, width) or (out, in), or a vector.
        depthwise: the kernel is (channels, 1, height, width) of a depthwise convolution.
    """
    if tensor.ndim == 4:
        return tensor.transpose((2, 3, 0, 1) if depthwise else (2, 3, 1, 0))
    return tensor.T
