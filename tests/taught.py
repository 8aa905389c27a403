"""A model taught on drawn photographs, for tests of what uses such a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from edge_runtime import teach

CLASSES = ("cross", "disc", "stripes")


def draw(name: str, rng: np.random.Generator) -> Image.Image:
    """Return a figure of random place, size and colour on a noisy ground, 160 x 160 pixels."""
    ground = rng.integers(60, 200, 3) + rng.normal(0, 12, (160, 160, 3))
    image = Image.fromarray(ground.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    size = int(rng.integers(35, 60))
    x, y = (int(rng.integers(size, 160 - size)) for _ in range(2))
    colour = tuple(int(c) for c in rng.integers(0, 256, 3))
    if name == "disc":
        pen.ellipse((x - size, y - size, x + size, y + size), fill=colour)
    elif name == "cross":
        pen.line((x - size, y - size, x + size, y + size), fill=colour, width=14)
        pen.line((x - size, y + size, x + size, y - size), fill=colour, width=14)
    else:
        for left in range(x - size, x + size, 16):
            pen.rectangle((left, y - size, left + 7, y + size), fill=colour)
    return image


def draw_folder(folder: Path, count: int = 10, seed: int = 0) -> Path:
    """Draw `count` images of each class into FOLDER/CLASS/."""
    rng = np.random.default_rng(seed)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
        for number in range(count):
            draw(name, rng).save(folder / name / f"{number:03}.png")
    return folder


def taught_model(folder: Path) -> Path:
    """Teach a model in a folder, and return its file."""
    report = teach(draw_folder(folder / "drawn"), folder / "figures.tflite")
    assert report.expected.top1 > 0.8
    return report.path
