"""The head: a regularised softmax regression on features, fitted with numpy.

Few photographs and many features leave the scatter of the features uncertain. The head therefore
measures distances in the features' covariance, shrunk towards a multiple of the identity (Ledoit
and Wolf 2004, J. Multivar. Anal. 88, 365-411), and penalises its weights there:

    minimise  mean(cross-entropy) + strength / 2 * |weights|^2

A strong penalty gives nearly Fisher's linear discriminant, and a weak one a large margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.scores import softmax

SHRINKAGE = 0.005  # of the covariance's trace, added to its diagonal; chosen on three data sets
_MAX_ITERATIONS = 60
_POWERS = 12
_TOLERANCE = 1e-3  # of the largest weight


class Space(NamedTuple):
    """Where a head is fitted: features centred, and whitened by their shrunk covariance.

    Attributes:
        mean: of the features, float32 (features,).
        matrix: turns centred features into coordinates, float32 (features, dimensions).
    """

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]

    def coordinates(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the coordinates of features: float32 (N, dimensions)."""
        return ((features - self.mean) @ self.matrix).astype(np.float32, copy=False)


class Head(NamedTuple):
    """Logits are features @ weights + bias.

    Attributes:
        weights: float32 (features or dimensions, classes).
        bias: float32 (classes,).
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits of features: float32 (N, classes)."""
        return features @ self.weights + self.bias


def space_of(features: NDArray[np.float32], dimensions: int) -> Space:
    """Return the space that a set of features defines.

    Args:
        features: float32 (N, features), N >= 2.
        dimensions: how many to keep at most, those with the largest variances.
    """
    mean: NDArray[np.float32] = features.mean(axis=0)
    centred = features - mean
    count, width = centred.shape
    # The smaller of the two matrices has the same eigenvalues other than 0.
    if count <= width:
        values, vectors = np.linalg.eigh(centred @ centred.T)
    else:
        values, vectors = np.linalg.eigh(centred.T @ centred)
    kept = values > max(values[-1], 1e-12) * 1e-5
    kept[:-dimensions] = False  # eigenvalues come in ascending order
    values, vectors = np.maximum(values[kept], 1e-12), vectors[:, kept]
    if count <= width:
        vectors = (centred.T @ vectors) / np.sqrt(values)
    values = values / count
    shrunk = values + SHRINKAGE * float((centred**2).sum()) / count + 1e-12
    return Space(mean, (vectors / np.sqrt(shrunk)).astype(np.float32))


def fit(
    coordinates: NDArray[np.float32], targets: NDArray[np.float32], strengths: Sequence[float]
) -> list[Head]:
    """Fit one head for each strength.

    The curvature of the cross-entropy is at most half the coordinates' scatter (Boehning 1992,
    Ann. Inst. Stat. Math. 44, 197-200). Steps bounded by it need no line search; Nesterov's
    momentum, restarted when it points uphill, makes them few.

    Args:
        coordinates: float32 (N, dimensions).
        targets: what the scores should be, float32 (N, classes); each row adds up to 1.
        strengths: penalties, strongest first, because each fit starts from the previous one.
    """
    curvature = 0.5 * _scatter_bound(coordinates)
    count, classes = len(targets), targets.shape[1]
    weights = np.zeros((coordinates.shape[1], classes), np.float32)
    bias = np.log(targets.mean(axis=0) + 1e-6).astype(np.float32)
    heads = []
    for strength in strengths:
        step = (1 / (curvature + strength))[:, np.newaxis].astype(np.float32)
        before, bias_before, momentum = weights, bias, 1.0
        for _ in range(_MAX_ITERATIONS):
            following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
            push = np.float32((momentum - 1) / following)
            momentum = following
            ahead = weights + push * (weights - before)
            bias_ahead = bias + push * (bias - bias_before)
            error = (softmax(coordinates @ ahead + bias_ahead) - targets) / np.float32(count)
            change = step * (coordinates.T @ error + np.float32(strength) * ahead)
            before, bias_before = weights, bias
            weights = (ahead - change).astype(np.float32, copy=False)
            bias = bias_ahead - np.float32(2) * error.sum(axis=0)
            if float((change * (weights - before)).sum()) > 0:
                momentum = 1.0
            moved, size = (np.abs(w).max(initial=0) for w in (weights - before, weights))
            if moved <= _TOLERANCE * size:  # photographs that are all the same have no dimension
                break
        heads.append(Head(weights, bias))
    return heads


def _scatter_bound(coordinates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a diagonal matrix that exceeds the coordinates' scatter, as (dimensions,).

    It is the diagonal of the scatter times the largest eigenvalue of the correlation, which is
    found by power iteration. In the space of the same rows, that eigenvalue is 1.
    """
    variances = np.maximum((coordinates**2).mean(axis=0), 1e-9)
    deviations = np.sqrt(variances)
    direction = np.ones(len(variances), np.float32)
    largest = 1.0
    for _ in range(_POWERS):
        rows = coordinates @ (direction / deviations)
        direction = (rows @ coordinates) / deviations / np.float32(len(rows))
        largest = max(float(np.linalg.norm(direction)), 1e-9)
        direction /= np.float32(largest)
    bound: NDArray[np.float32] = variances * np.float32(1.1 * max(largest, 1.0))
    return bound


def in_features(head: Head, space: Space) -> Head:
    """Return a head for coordinates as one for features."""
    weights = space.matrix @ head.weights
    return Head(weights, (head.bias - space.mean @ weights).astype(np.float32))
