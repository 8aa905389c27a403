"""Outlier exposure: a network learns to give outliers equal scores for all classes.

Hendrycks, Mazeika and Dietterich 2019, arXiv:1812.04606:

    loss = mean loss of the images + weight x mean CE(equal scores, scores of the outliers)

A batch holds its images and, after them, its outliers. The targets say which rows are which.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

_TINY = 1e-30  # keeps logarithms of scores finite


def targets(of_images: NDArray[np.float32], outliers: int) -> NDArray[np.float32]:
    """Return the targets of a batch's images, and of as many outliers after them.

    Args:
        of_images: float32 (N, classes), or (N, rows, classes) as in `train.distill.targets`.

    Returns:
        float32 (N + outliers, rows + 1, classes). The last row of an outlier is all ones, and that
        of an image all zeros.
    """
    rows = of_images if of_images.ndim == 3 else of_images[:, None]
    count, number, classes = rows.shape
    marked = np.zeros((count + outliers, number + 1, classes), np.float32)
    marked[:count, :-1] = rows
    marked[count:, -1] = 1
    # Loss functions take logarithms and ratios of these rows before they are left out.
    marked[count:, :-1] = rows[:1]
    return marked


class OutlierExposure(keras.losses.Loss):
    """The loss of a batch with outliers."""

    def __init__(self, of_images: keras.losses.Loss, weight: float) -> None:
        """Set the loss of the images, and the weight of the outliers' part.

        Args:
            of_images: its `call` returns a value for each image.
        """
        super().__init__(name="outlier_exposure")
        self._of_images, self._weight = of_images, weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return a value for each row; their mean is the loss.

        Args:
            y_true: float32 (N + M, rows, classes), see `targets`.
            y_pred: float32 (N + M, classes), scores.
        """
        outlier = y_true[:, -1, 0]
        rows = ops.cast(ops.size(outlier), outlier.dtype)
        outliers = ops.sum(outlier)
        exposed = -ops.mean(ops.log(ops.maximum(y_pred, _TINY)), axis=-1)
        of_images = self._of_images.call(of_images_targets(y_true), y_pred)
        return rows * (
            (1 - outlier) * of_images / (rows - outliers)
            + self._weight * outlier * exposed / ops.maximum(outliers, 1)
        )


def of_images_targets(y_true: Any) -> Any:
    """Return targets without the row that marks outliers, as the loss of the images takes them."""
    return y_true[:, 0] if y_true.shape[1] == 2 else y_true[:, :-1]


def images_only(top1: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Return a Keras metric that is `top1` of the images and zero of the outliers."""

    def of_rows(y_true: Any, y_pred: Any) -> Any:
        right = ops.cast(top1(of_images_targets(y_true), y_pred), y_pred.dtype)
        return right * (1 - y_true[:, -1, 0])

    return of_rows
