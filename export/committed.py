"""The committed images: those that calibrate int8 models by default, and those that judge them.

    export/calibration/
        train.png       class-balanced, from the images that the shipped networks are trained on
        held_out.png    class-balanced, from the images that no network is trained on
        manifest.json   label and pixel hash of each image, in the sheet's order

A sheet is a lossless grid with 25 images per row. `python -m export.make_samples` makes both sheets
again from the data set.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.support.files import replacing
from export.errors import CalibrationError
from train.dataset import SIDE, Split, pixel_hash
from train.reason import reason

FOLDER = Path(__file__).parent / "calibration"
_MANIFEST = "manifest.json"
_COLUMNS = 25


@dataclass(frozen=True)
class CommittedImages:
    """The committed images and the names of their classes.

    Attributes:
        train: calibrate; from the images that the shipped networks are trained on.
        held_out: judge; from the images that no network is trained on.
        class_names: by class index.
    """

    train: Split
    held_out: Split
    class_names: tuple[str, ...]


def read(folder: Path = FOLDER) -> CommittedImages:
    """Read the committed images and check every pixel against the manifest.

    Raises:
        CalibrationError: a file is missing or damaged, or a hash differs.
    """
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        splits = {name: _read_sheet(folder, name, manifest) for name in ("train", "held_out")}
        return CommittedImages(**splits, class_names=tuple(manifest["class_names"]))
    except (OSError, ValueError, KeyError) as exc:
        raise CalibrationError(
            f"The calibration images in {folder} are damaged ({reason(exc)}); restore them with "
            f"git."
        ) from exc


def write(images: CommittedImages, folder: Path = FOLDER, *, seed: int) -> None:
    """Write both sheets and the manifest.

    Args:
        images: as many in each split as fill whole rows of 25.
        folder: where to write; missing folders are made.
        seed: of the random choice of `images.train`, recorded in the manifest.

    Raises:
        OSError: a file cannot be written.
    """
    manifest: dict[str, object] = {"seed": seed, "class_names": list(images.class_names)}
    for name, split in (("train", images.train), ("held_out", images.held_out)):
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


def files(folder: Path = FOLDER) -> tuple[Path, ...]:
    """Return the paths of the sheets and the manifest."""
    return (folder / "train.png", folder / "held_out.png", folder / _MANIFEST)


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
