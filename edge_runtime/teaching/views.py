"""Views of a photograph, from which a head learns to ignore size and direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# As the runtime crops it, its middle enlarged, and mirrored.
VIEWS = ("plain", "enlarged", "mirrored")
# Cross-validation chooses one of these sets, because mirrors harm text and arrows.
VIEW_SETS = ((0,), (0, 1), (0, 1, 2))
_ENLARGED = 0.8  # of the sides


def views_of(
    image: Image.Image, to_tensor: Callable[[Image.Image], NDArray[Any]]
) -> list[NDArray[Any]]:
    """Return the tensors of a photograph's `VIEWS`, each (1, side, side, 3).

    Args:
        image: the photograph.
        to_tensor: resizes an image to the model's input.
    """
    width, height = image.size
    side = min(width, height) * _ENLARGED
    left, top = (width - side) / 2, (height - side) / 2
    middle = (round(left), round(top), round(left + side), round(top + side))
    plain = to_tensor(image)
    enlarged = to_tensor(image.crop(middle)) if min(width, height) > 1 else plain
    return [plain, enlarged, np.ascontiguousarray(plain[:, :, ::-1])]
