"""The committed images: 500 that set the activation ranges and 500 that judge the result.

    export/calibration/
        train.png       class-balanced, from the images that shipped networks are trained on
        held_out.png    class-balanced, from the images that none is trained on
        manifest.json   of each image, in the sheet's order: label and pixel hash

A sheet is a lossless grid, 25 images a row. `python -m export.pictures` makes both sheets from
the data set again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from train.atomic import replacing
from train.dataset import SIDE, Dataset, Split, pixel_hash

FOLDER = Path(__file__).parent / "calibration"
PER_CLASS = 50
SEED = 0
_MANIFEST = "manifest.json"
_COLUMNS = 25


class CalibrationError(Exception):
    """The committed images are missing or are not those of the manifest."""


@dataclass(frozen=True)
class Committed:
    """The committed images, with the names of their classes."""

    train: Split
    held_out: Split
    class_names: tuple[str, ...]

    def provenance(self) -> dict[str, str | int]:
        """Return what a model card says of the calibration images.

        `sha256` is that of their pixel hashes, one a line, in order.
        """
        lines = "".join(f"{digest}\n" for digest in self.train.hashes)
        return {
            "images": len(self.train),
            "split": "train",
            "seed": SEED,
            "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        }


def read(folder: Path = FOLDER) -> Committed:
    """Read the committed images and check every pixel against the manifest.

    Raises:
        CalibrationError: a file is missing or damaged, or a hash differs.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        splits = {name: _read_sheet(folder, name, manifest) for name in ("train", "held_out")}
        return Committed(**splits, class_names=tuple(manifest["class_names"]))
    except (OSError, ValueError, KeyError) as exc:
        raise CalibrationError(
            f"The calibration images in {folder} are damaged ({exc}); restore them with git."
        ) from exc


def write(data: Dataset, folder: Path = FOLDER) -> None:
    """Choose the images and write both sheets and the manifest.

    From the training part `PER_CLASS` images a class are drawn at random with `SEED`; from the
    held-out part those with the lowest hashes are taken, a choice that is random as it stands.
    """
    rng = np.random.default_rng(SEED)
    classes = range(len(data.class_names))
    drawn = [
        rng.choice(np.flatnonzero(data.train.labels == c), PER_CLASS, replace=False)
        for c in classes
    ]
    first = [np.flatnonzero(data.held_out.labels == c)[:PER_CLASS] for c in classes]
    chosen = {
        "train": data.train.take(np.concatenate(drawn)),
        "held_out": data.held_out.take(np.concatenate(first)),
    }
    manifest: dict[str, object] = {"seed": SEED, "class_names": list(data.class_names)}
    for name, split in chosen.items():
        rows = split.images.reshape(-1, _COLUMNS, SIDE, SIDE, 3)
        sheet = rows.transpose(0, 2, 1, 3, 4).reshape(-1, _COLUMNS * SIDE, 3)
        with replacing(folder / f"{name}.png") as temporary:
            Image.fromarray(sheet).save(temporary, optimize=True)
        manifest[name] = [
            {"label": int(label), "sha256": digest}
            for label, digest in zip(split.labels, split.hashes, strict=True)
        ]
    with replacing(folder / _MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest, indent=0) + "\n")


def _read_sheet(folder: Path, name: str, manifest: dict) -> Split:
    with Image.open(folder / f"{name}.png") as image:
        sheet: NDArray[np.uint8] = np.asarray(image)
    tiles = sheet.reshape(-1, SIDE, _COLUMNS, SIDE, 3).transpose(0, 2, 1, 3, 4)
    images = np.ascontiguousarray(tiles.reshape(-1, SIDE, SIDE, 3))
    hashes = tuple(entry["sha256"] for entry in manifest[name])
    if tuple(pixel_hash(image) for image in images) != hashes:
        raise ValueError(f"{name}.png does not hold the images of {_MANIFEST}")
    labels = np.array([entry["label"] for entry in manifest[name]], np.uint8)
    return Split(images, labels, hashes)
