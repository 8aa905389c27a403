"""The head to compare with: ridge regression, one class against all others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge_runtime.teaching.head import Head

_RELATIVE = np.geomspace(1e-5, 1e4, 46)


def penalties_for(features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a wide grid of penalties, around the mean squared length of centred features.

    Args:
        features: float32 (N, features).
    """
    centred = features - features.mean(axis=0, dtype=np.float64)
    return _RELATIVE * float((centred**2).sum() / len(features))


def ridge(
    features: NDArray[np.float32],
    labels: NDArray[np.intp],
    classes: int,
    penalties: NDArray[np.float64],
) -> Head:
    """Fit a ridge head, whose penalty has the least squared error when each row is left out.

    The errors of rows that are left out follow from one fit, by the diagonal of the matrix that
    turns targets into predictions (Golub, Heath and Wahba 1979, Technometrics 21, 215-223).

    Args:
        features: float32 (N, features).
        labels: class indices, (N,).
        classes: how many there are.
        penalties: to choose from; each is a factor of the squared length of the weights.
    """
    targets = np.eye(classes)[labels]
    mean, shares = features.mean(axis=0, dtype=np.float64), targets.mean(axis=0)
    centred, count = features - mean, len(labels)
    values, vectors = np.linalg.eigh(centred @ centred.T)
    values = np.maximum(values, 0)
    turned = vectors.T @ (targets - shares)
    least, best = np.inf, np.zeros(count)
    for penalty in penalties:
        kept = values / (values + penalty)
        predicted = shares + vectors @ (kept[:, np.newaxis] * turned)
        leverage = (vectors**2) @ kept + 1 / count
        left_out = (targets - predicted) / np.maximum(1 - leverage, 1e-9)[:, np.newaxis]
        error = float((left_out**2).mean())
        if error < least:
            least, best = error, 1 / (values + penalty)
    weights = centred.T @ (vectors @ (best[:, np.newaxis] * turned))
    return Head(weights.astype(np.float32), (shares - mean @ weights).astype(np.float32))
