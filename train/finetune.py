"""Fine-tune a network on other classes than those that its checkpoint was trained for.

The training starts from the checkpoint with a new last layer. That layer is fitted first, because
random weights there would send gradients into the others that spoil what these have learned.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.metrics import top1
from train import weights
from train.dataset import Split
from train.networks import batches_of
from train.temperature import LAST_LAYER

_STEPS = 300
# Of the kernel, not of the bias. In cross-validation on 360 photographs of six classes, it had the
# lowest loss of 0.003 to 1.
_DECAY = 0.1


def load(model: keras.Model, path: Path) -> str:
    """Set all weights of a network but those of its last layer from a checkpoint.

    Returns:
        A line that says what was loaded.

    Raises:
        CheckpointError: the file is missing or damaged, or is of another network.
    """
    tensors, _ = weights.read(path)
    for weight in model.weights:
        if weight.path.split("/")[0] == LAST_LAYER:
            continue
        tensor = tensors.get(weight.path)
        if tensor is None or tensor.shape != tuple(weight.shape):
            raise weights.CheckpointError(
                f"{path} holds another network than {model.name}: expected {weight.path} to be "
                f"{tuple(weight.shape)}, but got {'nothing' if tensor is None else tensor.shape}."
            )
        weight.assign(tensor.astype(np.float32))
    return f"{path}: all weights loaded but those of the last layer"


def fit_last_layer(model: keras.Model, train: Split) -> str:
    """Fit a network's last layer on the features that it takes, without dropout.

    Returns:
        A line that says how many of the images are classified right now.
    """
    layer = model.get_layer(LAST_LAYER)
    extractor = keras.Model(model.inputs, layer.input)
    features = np.concatenate(
        [
            np.asarray(extractor.predict_on_batch(batch), np.float32)
            for batch in batches_of(model, train.images)
        ]
    )
    kernel, bias = softmax_regression(features, train.labels, layer.units)
    layer.set_weights([kernel, bias])
    share = top1(features @ kernel + bias, train.labels)
    return f"last layer fitted on {len(train):,} images, top-1 {share:.2%} of them"


def softmax_regression(
    features: NDArray[np.float32], labels: NDArray[np.integer], classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the kernel (features, classes) and bias (classes,) of a regularised linear classifier.

    They minimise the mean cross-entropy plus half the decay times the kernel's squared norm, by
    accelerated gradient descent (Nesterov 1983). The features are centred and scaled meanwhile.

    Args:
        features: float32 (N, features).
        labels: integer (N,), class indices; every class has an image.
        classes: number of classes.
    """
    mean, scale = features.mean(axis=0), features.std() or np.float32(1)
    ones = np.ones((len(features), 1), np.float32)
    inputs = np.hstack([(features - mean) / scale, ones])  # the last row of a kernel is the bias
    decay = np.full((inputs.shape[1], 1), _DECAY, np.float32)
    decay[-1] = 0
    targets = np.eye(classes, dtype=np.float32)[labels]
    # No step may be longer than 1 / the largest curvature, which is half the largest eigenvalue of
    # the inputs' second moments, plus the decay.
    largest = np.linalg.norm(inputs, 2) ** 2 / len(inputs)
    step = np.float32(1 / (largest / 2 + _DECAY))
    kernel = ahead = np.zeros((inputs.shape[1], classes), np.float32)
    for number in range(1, _STEPS + 1):
        logits = inputs @ ahead
        scores = np.exp(logits - logits.max(axis=1, keepdims=True))
        scores /= scores.sum(axis=1, keepdims=True)
        gradient = inputs.T @ (scores - targets) / len(inputs) + decay * ahead
        before, kernel = kernel, ahead - step * gradient
        ahead = kernel + np.float32((number - 1) / (number + 2)) * (kernel - before)
    bias, kernel = kernel[-1], kernel[:-1] / scale
    return kernel, bias - mean @ kernel
