"""Outliers and the classes themselves, as a step of training shows them; numpy and Pillow.

Networks learn any trace that tells the two apart. So outliers are changed like the training images,
and both are JPEG-compressed as often; and the classes are also shown in the surroundings that the
outliers' photographs have.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train import augment
from train.outliers import Source
from train.recipe import Recipe
from train.views import changed

Images = NDArray[np.uint8]

_LEAST_CUT = 0.25  # share of an image's shorter side
_CANVAS = 3  # surroundings are composed at a multiple of the network's side
_PASTED = (0.5, 0.9)  # share of the side that the class takes
_QUALITY = (50, 95)  # of JPEG compression
_ENLARGED = (1, 2, 3)  # times, before an image is compressed
_BICUBIC = Image.Resampling.BICUBIC


class OutlierViews:
    """What a training with outliers shows in each epoch; without any, the images as they are."""

    def __init__(self, recipe: Recipe, sources: Sequence[Source], seed: int) -> None:
        """Take the recipe, the outliers and the seed, which determines all random changes."""
        self._recipe, self._sources, self._seed = recipe, sources, seed

    def shown(self, images: Images, epoch: int) -> Images:
        """Return the images of an epoch (0-based) in surroundings and recompressed.

        A teacher scores the images as they were before, because it may not know surroundings.
        """
        recipe, rng = self._recipe, np.random.default_rng([self._seed, epoch, 3])
        if recipe.surroundings:
            images = surround(images, recipe.surroundings, self._sources, rng)
        return recompress(images, recipe.recompress, rng) if recipe.recompress else images

    def outliers(self, epoch: int, images: Images, side: int | None = None) -> Images:
        """Return the outliers of all batches of an epoch (0-based), in their order.

        Args:
            images: the training images.
            side: side in pixels to which the outliers are shrunk; None keeps that of `images`.

        Returns:
            uint8 (N, side, side, 3), RGB, 0-255.
        """
        whole, rest = divmod(len(images), self._recipe.batch_size)
        count = whole * self._recipe.outliers_of(self._recipe.batch_size)
        count += self._recipe.outliers_of(rest) if rest else 0
        rng = np.random.default_rng([self._seed, epoch, 2])
        return self._cut(count, images.shape[1], rng, side)

    def mixed(self, images: Images, count: int) -> Images:
        """Return training images and outliers in the ratio of a batch; without any, all images.

        Args:
            images: the training images.
            count: number of training images to take if there are outliers.
        """
        if not self._recipe.outlier_weight:
            return images
        rng = np.random.default_rng([self._seed, 4])
        chosen = rng.permutation(len(images))[:count]
        others = self._cut(self._recipe.outliers_of(len(chosen)), images.shape[1], rng)
        return np.concatenate([images[chosen], others])

    def _cut(
        self, count: int, full_side: int, rng: np.random.Generator, side: int | None = None
    ) -> Images:
        """Cut outliers at random; every source gives the same share, whatever its size."""
        recipe = self._recipe
        cuts = np.empty((count, full_side, full_side, 3), np.uint8)
        for i in range(count):
            images = self._sources[int(rng.integers(len(self._sources)))].train
            cuts[i] = cut(images[int(rng.integers(len(images)))], full_side, rng)
        if recipe.flip:
            cuts = augment.flip(cuts, rng.random(count) < 0.5)
        cuts = recompress(changed(cuts, recipe, rng), recipe.recompress, rng)
        return augment.resize(cuts, side) if side else cuts


def surround(
    images: Images, share: float, sources: Sequence[Source], rng: np.random.Generator
) -> Images:
    """Show a share of the images as photographs show their classes: on a part of another image.

    The image takes 50 to 90 % of the side. The whole is composed at three times the side, JPEG
    compressed there, and shrunk, as a photograph is for the network.

    Args:
        images: uint8 (N, side, side, 3), RGB, 0-255.
        sources: whose training images are the surroundings.
    """
    side = images.shape[1]
    large = [image for source in sources for image in source.train if min(image.shape[:2]) > side]
    backgrounds = large or [image for source in sources for image in source.train]
    canvas = _CANVAS * side
    shown = images.copy()
    for i in np.flatnonzero(rng.random(len(images)) < share):
        behind = Image.fromarray(cut(backgrounds[rng.integers(len(backgrounds))], canvas, rng))
        inner = round(canvas * rng.uniform(*_PASTED))
        left, top = rng.integers(0, canvas - inner + 1, 2).tolist()
        behind.paste(Image.fromarray(images[i]).resize((inner, inner), _BICUBIC), (left, top))
        shown[i] = np.asarray(_compressed(behind, rng).resize((side, side), _BICUBIC))
    return shown


def recompress(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Enlarge a share of the images once, twice or three times, JPEG-compress and shrink them."""
    side = images.shape[1]
    shown = images.copy()
    for i in np.flatnonzero(rng.random(len(images)) < share):
        large = side * int(rng.choice(_ENLARGED))
        enlarged = Image.fromarray(images[i]).resize((large, large), _BICUBIC)
        shown[i] = np.asarray(_compressed(enlarged, rng).resize((side, side), _BICUBIC))
    return shown


def cut(image: Images, side: int, rng: np.random.Generator) -> Images:
    """Return a random square part of an image, resized with antialiasing.

    The part has at least a quarter of the shorter side. It is enlarged only if the image is smaller
    than `side`.

    Args:
        image: uint8 (H, W, 3), RGB, 0-255.
        side: of the result, in pixels.
    """
    height, width = image.shape[:2]
    shorter = min(height, width)
    least = min(shorter, max(side, _LEAST_CUT * shorter))
    part = rng.uniform(least, shorter)
    left, top = rng.random() * (width - part), rng.random() * (height - part)
    box = (left, top, min(width, left + part), min(height, top + part))
    return np.asarray(Image.fromarray(image).resize((side, side), _BICUBIC, box=box))


def _compressed(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=int(rng.integers(_QUALITY[0], _QUALITY[1] + 1)))
    return Image.open(stream).convert("RGB")
