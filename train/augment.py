"""Random changes to a batch of training images, in numpy and Pillow.

Every function takes and returns images, uint8 (N, H, W, 3), RGB, 0-255; `mixup` also the targets.
Functions with an `rng` draw all random numbers from it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Images = NDArray[np.uint8]


def flip(images: Images, mirrored: NDArray[np.bool_]) -> Images:
    """Mirror those images left to right that `mirrored`, bool (N,), selects."""
    return np.where(mirrored[:, None, None, None], images[:, :, ::-1], images)


def translate(images: Images, pixels: int, rng: np.random.Generator) -> Images:
    """Shift each image by up to `pixels` in both directions, edges filled by reflection."""
    count, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), mode="reflect")
    top, left = rng.integers(0, 2 * pixels + 1, size=(2, count, 1))
    rows = (top + np.arange(height))[:, :, None]
    columns = (left + np.arange(width))[:, None, :]
    return padded[np.arange(count)[:, None, None], rows, columns]


def crop(images: Images, least: float, rng: np.random.Generator) -> Images:
    """Enlarge a random part of each image to the whole image's size, bilinear.

    The part has at least the share `least` of the area, and sides in a ratio from 3:4 to 4:3 as far
    as it fits (Szegedy et al. 2015, arXiv:1409.4842).
    """
    height, width = images.shape[1:3]
    shares, ratios, *places = rng.random((4, len(images)))
    shares = least + (1 - least) * shares
    ratios = (3 / 4) ** (2 * ratios - 1)
    widths = width * np.minimum(1, np.sqrt(shares * ratios))
    heights = height * np.minimum(1, np.sqrt(shares / ratios))
    left, top = (width - widths) * places[0], (height - heights) * places[1]
    boxes = np.stack([left, top, left + widths, top + heights], axis=1).tolist()
    cropped = np.empty_like(images)
    for i, box in enumerate(boxes):
        part = Image.fromarray(images[i]).resize(
            (width, height), Image.Resampling.BILINEAR, box=box
        )
        cropped[i] = np.asarray(part)
    return cropped


def recolour(images: Images, strength: float, rng: np.random.Generator) -> Images:
    """Change brightness, contrast and saturation of each image.

    Each is multiplied by a factor of its own, from 1 - `strength` to 1 + `strength` (Howard 2013,
    arXiv:1312.5402).
    """
    changed = np.empty_like(images)
    factors = rng.uniform(1 - strength, 1 + strength, (len(images), 3)).astype(np.float32)
    for i, (brightness, contrast, saturation) in enumerate(factors):
        pixels = images[i].astype(np.float32)
        grey = pixels.mean(axis=2, keepdims=True)
        mean = grey.mean()
        pixels = grey + saturation * (pixels - grey)
        pixels = brightness * mean + contrast * (pixels - mean)
        changed[i] = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return changed


def soften(images: Images, share: float, rng: np.random.Generator) -> Images:
    """Enlarge a share of the images eightfold and shrink them again, both bicubic.

    This removes the finest detail, as shrinking a photograph to the network's input does.
    """
    chosen = rng.random(len(images)) < share
    softened = images.copy()
    side = images.shape[1]
    there_and_back = _resampling(8 * side, side) @ _resampling(side, 8 * side)
    softened[chosen] = _resample(images[chosen], there_and_back)
    return softened


def resize(images: Images, side: int) -> Images:
    """Resize square images to `side` pixels, antialiased bicubic."""
    return _resample(images, _resampling(images.shape[1], side))


def cutout(images: Images, pixels: int, rng: np.random.Generator) -> Images:
    """Paint a mid-grey square of side `pixels` at a random place of each image.

    The centre of the square is anywhere in the image, so part of it may fall outside (DeVries and
    Taylor 2017, arXiv:1708.04552).
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


def mixup(
    images: Images, targets: NDArray[np.float32], alpha: float, rng: np.random.Generator
) -> tuple[Images, NDArray[np.float32]]:
    """Blend each image and its target with another image of the batch and its target.

    The share of the first image is drawn from Beta(alpha, alpha), anew for each image (Zhang et al.
    2017, arXiv:1710.09412).

    Args:
        targets: float32 (N, classes), shares that add up to 1.
    """
    share = rng.beta(alpha, alpha, len(images)).astype(np.float32)
    partner = rng.permutation(len(images))
    weight = share[:, None, None, None]
    blended = weight * images + (1 - weight) * images[partner]
    share = share[:, None]
    return np.rint(blended).astype(np.uint8), share * targets + (1 - share) * targets[partner]


@cache
def _resampling(before: int, after: int) -> NDArray[np.float32]:
    """Return the (after, before) matrix that resizes a column of pixels as Pillow does."""
    identity = Image.fromarray(np.eye(before, dtype=np.float32))
    return np.asarray(identity.resize((before, after), Image.Resampling.BICUBIC))


def _resample(images: Images, matrix: NDArray[np.float32]) -> Images:
    count, height, width, channels = images.shape
    rows = matrix @ images.reshape(count, height, width * channels).astype(np.float32)
    resized = matrix @ rows.reshape(count, len(matrix), width, channels)
    return np.clip(np.rint(resized), 0, 255).astype(np.uint8)
