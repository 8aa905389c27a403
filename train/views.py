"""The training images as one epoch sees them: augmented, with their targets; numpy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train import augment
from train.dataset import Split
from train.recipe import Recipe

_CHUNK = 500  # images augmented at a time


@dataclass(frozen=True)
class View:
    """Every training image once, augmented at random.

    Attributes:
        images: uint8 (N, side, side, 3), RGB, 0-255.
        targets: float32 (N, classes), shares that add up to 1.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]

    def mirrored(self) -> View:
        """Return the view with left and right exchanged."""
        return View(self.images[:, :, ::-1], self.targets)


def make(
    recipe: Recipe, train: Split, classes: int, seed: int, number: int, *, side: int | None
) -> View:
    """Augment the training images as a recipe says.

    Flips alternate: each view mirrors the images that the previous one left as they are. Two views
    thus show both sides of every image (Jordan 2024, arXiv:2404.00498).

    Args:
        classes: number of classes.
        seed: determines, with `number`, all random changes.
        number: number of the view, from 0.
        side: side in pixels to which the images are shrunk at the end; None keeps their size.
    """
    smoothing = recipe.label_smoothing
    smooth = (1 - smoothing) * np.eye(classes, dtype=np.float32) + np.float32(smoothing / classes)
    size = side or train.images.shape[1]
    images = np.empty((len(train), size, size, 3), np.uint8)
    targets = smooth[train.labels]
    mirrored = (np.random.default_rng(seed).random(len(train)) < 0.5) ^ bool(number % 2)
    rng = np.random.default_rng([seed, number])
    order = rng.permutation(len(train))  # mixup's pairs are drawn within a chunk
    for start in range(0, len(order), _CHUNK):
        chosen = order[start : start + _CHUNK]
        chunk = train.images[chosen]
        if recipe.flip:
            chunk = augment.flip(chunk, mirrored[chosen])
        chunk = changed(chunk, recipe, rng)
        if recipe.mixup:
            chunk, targets[chosen] = augment.mixup(chunk, targets[chosen], recipe.mixup, rng)
        images[chosen] = augment.resize(chunk, side) if side else chunk
    return View(images, targets)


def changed(
    images: NDArray[np.uint8], recipe: Recipe, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Change images as a recipe says, except for flips and mixup.

    Args:
        images: uint8 (N, side, side, 3), RGB, 0-255.
    """
    if recipe.translate:
        images = augment.translate(images, recipe.translate, rng)
    if recipe.crop is not None:
        images = augment.crop(images, recipe.crop, rng)
    if recipe.recolour:
        images = augment.recolour(images, recipe.recolour, rng)
    if recipe.soften:
        images = augment.soften(images, recipe.soften, rng)
    if recipe.cutout:
        images = augment.cutout(images, recipe.cutout, rng)
    return images
