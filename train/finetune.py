"""Fine-tune a network on other classes than those that its checkpoint was trained for.

The training starts from the checkpoint with a new last layer. Random weights there would send
gradients into the others that spoil what these have learned. Few photographs therefore fit that
layer first, as `edge-teach` does: `edge_runtime.teaching` chooses the fit by cross-validation. On
as many images as CIFAR-10 has, zeros do: the layer learns during the warm-up.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.errors import TeachingError
from edge_runtime.inference.quantization import Quantization
from edge_runtime.support.metrics import top1
from edge_runtime.teaching.embedding import comparable
from edge_runtime.teaching.learning import learn
from edge_runtime.teaching.views import views_of
from train import weights
from train.dataset import DataError, Split
from train.efficientnet import FEATURE_BLOCKS
from train.networks import batches_of
from train.temperature import LAST_LAYER

_AT_ONCE = 100  # images whose views are in memory at the same time
_FLOAT = Quantization(0.0, 0)  # what marks features that are not quantized


def load(model: keras.Model, path: Path) -> str:
    """Set all weights of a network from a checkpoint, and those of its last layer to zero.

    Returns:
        A line that says what was loaded.

    Raises:
        CheckpointError: the file is missing or damaged, or is of another network.
    """
    tensors, _ = weights.read(path)
    for weight in model.weights:
        if weight.path.split("/")[0] == LAST_LAYER:
            weight.assign(np.zeros(weight.shape, np.float32))
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
    """Fit a network's last layer as `edge-teach` fits its head, on features in float32.

    Cross-validation chooses how strong the penalty is, which views of an image are learnt from,
    and the temperature that calibrates the scores.

    Args:
        model: an EfficientNet-Lite0 that classifies by `stage_features`.
        train: images, at least two of each class.

    Returns:
        A line that says which accuracy cross-validation expects.

    Raises:
        DataError: nothing can be learnt from the images.
    """
    layer = model.get_layer(LAST_LAYER)
    extractor = keras.Model(model.inputs, layer.input)  # without dropout, as it is not in training
    chunks = np.array_split(train.images, -(-len(train) // _AT_ONCE))
    real = np.concatenate([_features(model, extractor, images) for images in chunks])
    blocks = [block.channels for block in FEATURE_BLOCKS]
    features, factor = comparable(real, blocks, _FLOAT)
    labels = train.labels.astype(np.intp)
    try:
        learnt = learn(features, labels, layer.units, lambda stage: None)
    except TeachingError as exc:
        raise DataError(str(exc)) from exc
    layer.set_weights([learnt.head.weights * factor[:, np.newaxis], learnt.head.bias])
    expected = top1(learnt.validation.scores, labels)
    return (
        f"last layer fitted on {len(train):,} images, top-1 {expected:.2%} of them in "
        f"cross-validation"
    )


def _features(
    model: keras.Model, extractor: keras.Model, images: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return the features of all views of some images, float32 (images, views, features)."""
    by_view = np.stack([_views(image) for image in images], axis=1)
    found = [
        np.concatenate([extractor.predict_on_batch(batch) for batch in batches_of(model, view)])
        for view in by_view
    ]
    return np.stack(found, axis=1)


def _views(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an image's views for the fit, uint8 (views, side, side, 3)."""
    side = image.shape[0]

    def resized(view: Image.Image) -> NDArray[np.uint8]:
        return np.asarray(view.resize((side, side), Image.Resampling.BILINEAR))[np.newaxis]

    return np.concatenate(views_of(Image.fromarray(image), resized))
