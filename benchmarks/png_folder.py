"""Make a folder of small images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def make_png_folder(folder: Path, files: int) -> None:
    """Make a folder of PNG files of 32 x 32 pixels with different, reproducible contents.

    Raises:
        OSError: the folder exists, or it cannot be written.
    """
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(files):
        noise = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
        noise.resize((32, 32), Image.Resampling.BICUBIC).save(folder / f"{number:06}.png")
