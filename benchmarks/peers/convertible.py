"""The network that peers convert, and the tensors that they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ConvertibleNetwork:
    """A network with everything that a peer needs for its conversion.

    Attributes:
        name: name of the network.
        model: builds the Keras network with its weights.
        calibration: images that set activation ranges, uint8 (N, H, W, channels).
        files: our exported files by precision.
        sha256: SHA-256 of the weights.
        trained: whether the weights are trained.
    """

    name: str
    model: Callable[[], keras.Model]
    calibration: NDArray[np.uint8]
    files: dict[str, Path]
    sha256: str
    trained: bool


def channels_first(image: NDArray[np.uint8], batch: int) -> NDArray[np.float32]:
    """Return the input of ONNX networks for an image: float32 (batch, channels, H, W), 0-1."""
    one = image.transpose(2, 0, 1)[np.newaxis].astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(np.repeat(one, batch, axis=0))


def first_scores(scores: Any) -> NDArray[np.float32]:
    """Return the scores of a batch's first image, float32 (classes,)."""
    return np.array(scores[0], np.float32)
