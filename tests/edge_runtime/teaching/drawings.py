"""Drawn photographs that the tests of teaching share."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 96
KINDS = {"disc": "red", "ring": "blue", "square": "green"}


def drawing(kind: str, rng: np.random.Generator, colour: str = "") -> Image.Image:
    """Return a shape of any size at any place, on blurred noise."""
    noise = Image.fromarray(rng.integers(90, 160, (SIDE, SIDE, 3), dtype=np.uint8))
    image = noise.filter(ImageFilter.GaussianBlur(1))
    draw = ImageDraw.Draw(image)
    radius = int(rng.integers(14, 32))
    x, y = (int(n) for n in rng.integers(radius, SIDE - radius, 2))
    box = (x - radius, y - radius, x + radius, y + radius)
    colour = colour or KINDS.get(kind, "black")
    if kind == "disc":
        draw.ellipse(box, fill=colour)
    elif kind == "ring":
        draw.ellipse(box, outline=colour, width=7)
    elif kind == "square":
        draw.rectangle(box, fill=colour)
    else:  # an arrow to the left or right
        tip = radius if kind == "right" else -radius
        draw.polygon([(x - tip, y - radius), (x - tip, y + radius), (x + tip, y)], fill=colour)
    return image


def draw_classes(folder: Path, kinds=tuple(KINDS), count: int = 8, seed: int = 0) -> Path:
    """Draw `count` photographs of each kind into folder/KIND."""
    rng = np.random.default_rng(seed)
    for kind in kinds:
        (folder / kind).mkdir(parents=True)
        for number in range(count):
            drawing(kind, rng).save(folder / kind / f"{number:02}.png")
    return folder
