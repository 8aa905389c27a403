"""Continue the training of a network from a checkpoint of its deployed form.

The form that is trained may have more layers (`train.folding`). While it trains, a BatchNorm takes
the moments of the batch. Those in a checkpoint may be others: in a network that was folded they are
no moments at all. So the scale and offset of each BatchNorm are changed until the scores are the
checkpoint's with the moments of a batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from train import weights
from train.folding import unfold
from train.networks import batches_of

_IMAGES = 1000


def load(model: keras.Model, deployed: keras.Model, path: Path, images: NDArray[np.uint8]) -> str:
    """Set all weights of a network from a checkpoint.

    Args:
        model: in the form that is trained.
        deployed: the network as it is deployed, whose weights the checkpoint holds.
        path: the checkpoint.
        images: uint8 (N, side, side, 3), RGB, mixed as in a batch; some of them give the moments.

    Returns:
        A line that says what was loaded.

    Raises:
        CheckpointError: the file is missing or damaged, or is of another network.
    """
    weights.load(deployed, path)
    if len(model.weights) == len(deployed.weights):
        model.set_weights(deployed.get_weights())
    else:
        unfold(deployed, model)
    norms = [n for n in model.layers if isinstance(n, layers.BatchNormalization) and n.trainable]
    if norms:
        chosen = images[:: max(1, len(images) // _IMAGES)]
        _take_moments(norms, keras.Model(model.inputs, [n.input for n in norms]), model, chosen)
    return f"{path}: all weights loaded"


def _take_moments(
    norms: list, inputs_of_norms: keras.Model, model: keras.Model, images: NDArray[np.uint8]
) -> None:
    """Give each BatchNorm the moments of its inputs, without changing what it returns."""
    sums: list[list[Any]] = [
        [0, 0, 0] for _ in norms
    ]  # count, sum and sum of squares of each channel
    for batch in batches_of(model, images):
        found = inputs_of_norms.predict_on_batch(batch)
        for total, values in zip(sums, found if len(norms) > 1 else [found], strict=True):
            flat = np.asarray(values, np.float64).reshape(-1, values.shape[-1])
            for place, value in enumerate((len(flat), flat.sum(axis=0), (flat**2).sum(axis=0))):
                total[place] = total[place] + value
    for norm, (count, total, squares) in zip(norms, sums, strict=True):
        gamma, beta, old_mean, old_variance = (
            np.asarray(w, np.float64) for w in norm.get_weights()
        )
        mean = total / count
        variance = np.maximum(squares / count - mean**2, 0)
        slope = gamma / np.sqrt(old_variance + norm.epsilon)
        new = (
            slope * np.sqrt(variance + norm.epsilon),
            beta + slope * (mean - old_mean),
            mean,
            variance,
        )
        norm.set_weights([values.astype(np.float32) for values in new])
