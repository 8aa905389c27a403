"""Near-doubles: photographs that show the same scene, such as copies and frames of a burst."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Chosen on photographs of waste and of animals, 18 to 939 at once, and on drawn shapes: it finds
# 81 % of copies and burst frames or more, and 9 of 480,000 pairs of other photographs.
_COSINE = 0.8
_AT_MEAN = 5  # photographs that each class's centre has besides its own, at the mean of all
_TINY = np.float32(1e-12)
_ROWS = 256  # compared at once


class Pair(NamedTuple):
    """Two photographs, by their indices, and how similar they are.

    Attributes:
        first: index of one of them.
        second: index of the other, which is larger.
        cosine: of their centred features, at most 1.
    """

    first: int
    second: int
    cosine: float


def near_doubles(features: NDArray[np.float32], labels: NDArray[np.intp]) -> list[Pair]:
    """Return the pairs of photographs that are nearly the same, most similar first.

    Photographs are seen from the centre of their class, because what a whole class shares, such as
    its colour, makes no scene. Few photographs say little about that centre, so that it is shrunk
    towards the mean of all. Photographs of two classes must be similar from both centres.

    Args:
        features: float32 (N, features).
        labels: class indices, (N,); -1 marks counter-examples.
    """
    centred = features - features.mean(axis=0)
    _, of = np.unique(labels, return_inverse=True)
    centres = np.zeros((of.max() + 1, features.shape[1]), np.float32)
    np.add.at(centres, of, centred)
    centres /= (np.bincount(of) + _AT_MEAN)[:, np.newaxis].astype(np.float32)
    # (a - c)(b - c) = ab - ac - bc + cc, so that no centre needs coordinates of its own.
    towards = centred @ centres.T
    lengths = (centres**2).sum(axis=1)
    squares = (centred**2).sum(axis=1)[:, np.newaxis] - 2 * towards + lengths
    everything = slice(None)

    def cosines_from(
        products: NDArray[np.float32], first: slice, second: slice
    ) -> NDArray[np.float32]:
        """Return the cosines of two sets, seen from the centres of the second one's classes."""
        own = of[second]
        at = np.arange(len(own))
        dots = products - towards[first][:, own] - towards[second][at, own] + lengths[own]
        norms = np.maximum(squares[first][:, own] * squares[second][at, own], 0)
        # Photographs that are all the same have no direction, and are doubles.
        cosines: NDArray[np.float32] = (dots + _TINY) / (np.sqrt(norms) + _TINY)
        return cosines

    pairs = []
    for start in range(0, len(centred), _ROWS):
        here = slice(start, start + _ROWS)
        products = centred[here] @ centred.T
        cosines = np.minimum(
            cosines_from(products, here, everything),
            cosines_from(products.T, everything, here).T,
        )
        rows, columns = np.nonzero(cosines >= _COSINE)
        later = columns > rows + start
        pairs += [
            Pair(start + int(row), int(column), float(cosines[row, column]))
            for row, column in zip(rows[later], columns[later], strict=True)
        ]
    return sorted(pairs, key=lambda pair: -pair.cosine)


def group(count: int, pairs: list[Pair]) -> NDArray[np.intp]:
    """Return a number for each of `count` photographs, the same for those that pairs connect."""
    root = list(range(count))

    def find(at: int) -> int:
        while root[at] != at:
            root[at] = root[root[at]]
            at = root[at]
        return at

    for pair in pairs:
        first, second = find(pair.first), find(pair.second)
        root[max(first, second)] = min(first, second)
    return np.array([find(at) for at in range(count)], np.intp)
