"""The committed photographs: they calibrate and judge exports of EfficientNet-Lite0.

    export/calibration/photographs/
        NAME.jpg        public-domain photographs, see NOTICE; at most 512 pixels wide and high
        manifest.json   pixel hash of each photograph, and which ones judge

Crops of several sizes show a network objects at several scales. `python -m export.make_photographs`
makes the files again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.inputs.resize import fit
from export.errors import CalibrationError
from train.dataset import pixel_hash
from train.reason import reason

FOLDER = Path(__file__).parent / "calibration" / "photographs"
MANIFEST = "manifest.json"
# Sides of the crops as parts of a photograph's shorter side, and how many there are in a row and a
# column. The crops overlap, from one border of the photograph to the other.
_CROPS = ((1.0, 2, 1), (0.75, 2, 2), (0.5, 3, 2))


@dataclass(frozen=True)
class Crops:
    """Square crops of the photographs.

    Attributes:
        calibrating: uint8 (N, side, side, 3), RGB, of the photographs that set activation ranges.
        judging: uint8 (M, side, side, 3), RGB, of the other photographs.
        judges: number of photographs that `judging` shows.
    """

    calibrating: NDArray[np.uint8]
    judging: NDArray[np.uint8]
    judges: int

    @property
    def hashes(self) -> tuple[str, ...]:
        """Return the pixel hash of each calibrating crop, see `train.dataset.pixel_hash`."""
        return tuple(pixel_hash(image) for image in self.calibrating)


def read(side: int, folder: Path = FOLDER) -> Crops:
    """Read the photographs, check their pixels against the manifest, and return their crops.

    Args:
        side: of the crops, in pixels.
        folder: where the photographs are.

    Raises:
        CalibrationError: a file is missing or damaged, or a hash differs.
    """
    calibrating: list[NDArray[np.uint8]] = []
    judging: list[NDArray[np.uint8]] = []
    judges = 0
    try:
        for name, entry in json.loads((folder / MANIFEST).read_text()).items():
            with Image.open(folder / name) as file:
                photograph = file.convert("RGB")
            if photograph_hash(photograph) != entry["sha256"]:
                raise ValueError(f"{name} does not hold the pixels of {MANIFEST}")
            judges += entry["judges"]
            (judging if entry["judges"] else calibrating).extend(_crops(photograph, side))
        return Crops(np.stack(calibrating), np.stack(judging), judges)
    except (OSError, ValueError, KeyError) as exc:
        raise CalibrationError(
            f"The photographs in {folder} are damaged ({reason(exc)}); restore them with git."
        ) from exc


def photograph_hash(photograph: Image.Image) -> str:
    """Return the sha256 of a photograph's RGB bytes."""
    return hashlib.sha256(photograph.tobytes()).hexdigest()


def files(folder: Path = FOLDER) -> tuple[Path, ...]:
    """Return the paths of the photographs and the manifest."""
    return (*sorted(folder.glob("*.jpg")), folder / MANIFEST)


def _crops(photograph: Image.Image, side: int) -> Iterator[NDArray[np.uint8]]:
    """Yield square crops, resized as the runtime resizes images."""
    width, height = photograph.size
    for part, columns, rows in _CROPS:
        size = round(part * min(width, height))
        corners = {
            (round(x), round(y))
            for x in np.linspace(0, width - size, columns)
            for y in np.linspace(0, height - size, rows)
        }
        for left, top in sorted(corners):
            crop = photograph.crop((left, top, left + size, top + size))
            yield fit(crop, side, side)
