"""Several images in one call of the model, where that gives the same outputs in less time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_runtime.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.placement import Placement

# XNNPACK's kernels take several pixels at a time. A layer of 4 x 4 pixels leaves the last of them
# idle, and loads all weights for 16 pixels. 16 images of 32 x 32 pixels fill the kernels. More, and
# larger images, would take memory and gain nothing.
_PIXELS = 16 * 32 * 32


class Batching:
    """Divides images into batches, if the model computes them exactly as it does one by one."""

    def __init__(self, placement: Placement, shape: tuple[int, ...]) -> None:
        """Decide how many images go into a batch.

        Args:
            placement: what runs the model. Only XNNPACK gets batches.
            shape: of the model's input, (1, height, width, channels).
        """
        xnnpack = placement.delegate == "xnnpack"
        self._at_once = max(1, _PIXELS // (shape[1] * shape[2])) if xnnpack else 1
        self._compared = False

    def run(
        self, invoke: Callable[[NDArray[Any]], NDArray[Any]], tensors: Sequence[NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """Return the raw output of each image, (classes,).

        Args:
            invoke: runs the model on a batch, and returns the outputs in a row.
            tensors: the images, each of the model's input shape and type.

        Raises:
            ModelError: the model fails on a batch.
        """
        outputs: list[NDArray[Any]] = []
        while len(outputs) < len(tensors):
            batch = tensors[len(outputs) : len(outputs) + self._at_once]
            if len(batch) == 1:
                outputs.append(invoke(batch[0]))
            elif self._compared:
                outputs += _together(invoke, batch)
            else:
                outputs += self._compare(invoke, batch)
        return outputs

    def _compare(
        self, invoke: Callable[[NDArray[Any]], NDArray[Any]], batch: Sequence[NDArray[Any]]
    ) -> list[NDArray[Any]]:
        """Run the first batch both ways; if they differ, or the graph takes no batch, give up."""
        alone = [invoke(tensor) for tensor in batch]
        try:
            same = np.array_equal(_together(invoke, batch), alone)
        except ModelError:
            same = False
        if not same:
            self._at_once = 1
        self._compared = True
        return alone


def _together(
    invoke: Callable[[NDArray[Any]], NDArray[Any]], batch: Sequence[NDArray[Any]]
) -> list[NDArray[Any]]:
    return list(invoke(np.concatenate(batch)).reshape(len(batch), -1))
