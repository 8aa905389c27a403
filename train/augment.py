"""Random changes to a batch of training images, vectorised in numpy.

Every function takes and returns uint8 (N, H, W, 3) and draws from the generator that it is given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]


def flip(images: Images, rng: np.random.Generator) -> Images:
    """Mirror each image left to right with probability one half."""
    mirrored = rng.random(len(images)) < 0.5
    return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def translate(images: Images, pixels: int, rng: np.random.Generator) -> Images:
    """Shift each image by up to `pixels` in both directions, edges filled by reflection."""
    count, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), mode="reflect")
    top, left = rng.integers(0, 2 * pixels + 1, size=(2, count, 1))
    rows = (top + np.arange(height))[:, :, None]
    columns = (left + np.arange(width))[:, None, :]
    return padded[np.arange(count)[:, None, None], rows, columns]


def cutout(images: Images, pixels: int, rng: np.random.Generator) -> Images:
    """Paint a mid-grey square of side `pixels` at a random place of each image.

    Its centre is anywhere in the image, so that part of the square may fall outside
    (DeVries and Taylor 2017, arXiv:1708.04552).
    """
    count, height, width, _ = images.shape
    top = rng.integers(0, height, size=(count, 1)) - pixels // 2
    left = rng.integers(0, width, size=(count, 1)) - pixels // 2
    rows = np.arange(height) - top
    columns = np.arange(width) - left
    inside_rows = (rows >= 0) & (rows < pixels)
    inside_columns = (columns >= 0) & (columns < pixels)
    square = inside_rows[:, :, None] & inside_columns[:, None, :]
    return np.where(square[..., None], np.uint8(128), images)
