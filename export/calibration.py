"""The images that set an int8 model's activation ranges, and the committed ones that judge it.

    export/calibration/
        train.png       class-balanced, from the images that shipped networks are trained on
        held_out.png    class-balanced, from the images that none is trained on
        manifest.json   of each image, in the sheet's order: label and pixel hash

A sheet is a lossless grid, 25 images a row. `python -m export.pictures` makes both sheets from
the data set again. Other images than the committed ones come from the data set or a folder.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.errors import ImageError
from edge_runtime.inputs.decode import SUFFIXES
from edge_runtime.support.files import replacing
from train.cifar10 import ENVIRONMENT_VARIABLE
from train.dataset import SIDE, Dataset, Split, pixel_hash
from train.folder import read_image

FOLDER = Path(__file__).parent / "calibration"
PER_CLASS = 50
SEED = 0
_MANIFEST = "manifest.json"
_COLUMNS = 25


class CalibrationError(Exception):
    """The calibration images are missing, damaged or not to be calibrated on."""


@dataclass(frozen=True)
class Committed:
    """The committed images, with the names of their classes."""

    train: Split
    held_out: Split
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class Calibration:
    """Images that set activation ranges.

    Attributes:
        split: "train" of the data set, or "folder".
        seed: of the random choice, where there was one.
    """

    images: NDArray[np.uint8]  # (N, 32, 32, 3), RGB
    hashes: tuple[str, ...]
    split: str
    seed: int | None

    def provenance(self) -> dict[str, str | int | None]:
        """Return what a model card says of them.

        `sha256` is that of their pixel hashes, one a line, in order.
        """
        lines = "".join(f"{digest}\n" for digest in self.hashes)
        return {
            "images": len(self.images),
            "split": self.split,
            "seed": self.seed,
            "sha256": hashlib.sha256(lines.encode()).hexdigest(),
        }


def choose(source: str | None, committed: Committed, data: Dataset | None) -> Calibration:
    """Return the calibration images that a user asks for.

    Args:
        source: a number of images, class-balanced from the training part; a folder with one folder
            of pictures a class; or None for the committed ones, where the data set is another for
            as many from its training part.
        data: the data set, where it is there.

    Raises:
        CalibrationError: they cannot be had, or some are held-out or test images.
    """
    names = committed.class_names if data is None else data.class_names
    if source is None and data is not None and not _is_cifar10(data, committed):
        source = str(min(len(committed.train), len(data.train)))
    if source is None:
        chosen = Calibration(committed.train.images, committed.train.hashes, "train", SEED)
    elif source.isdecimal():
        chosen = _from_data_set(int(source), data)
    else:
        chosen = _from_folder(Path(source), names)
    forbidden = {*committed.held_out.hashes}
    if data is not None:
        forbidden |= {*data.held_out.hashes, *data.test.hashes}
    strangers = sum(digest in forbidden for digest in chosen.hashes)
    if strangers:
        raise CalibrationError(
            f"{strangers} of the {len(chosen.images)} calibration images are held-out or test "
            f"images, on which the result is judged; choose them from the training images."
        )
    return chosen


def _is_cifar10(data: Dataset, committed: Committed) -> bool:
    """Say whether the committed images are of a data set; others may have the same classes."""
    return {*committed.held_out.hashes} <= {*data.held_out.hashes}


def some(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """Return up to `count` of some images, evenly from all of them, since classes come in order."""
    count = min(count, len(images))
    return images[np.arange(count) * len(images) // count]


def _from_data_set(count: int, data: Dataset | None) -> Calibration:
    if data is None:
        raise CalibrationError(
            f"--calibration {count} takes images from CIFAR-10, which is not there; name it with "
            f"--data or {ENVIRONMENT_VARIABLE}, or leave --calibration out."
        )
    classes, most = len(data.class_names), len(data.train)
    if not classes <= count <= most:
        raise CalibrationError(
            f"Expected --calibration to be from {classes} to {most:,} images, but got {count}."
        )
    split = data.train.take(_balanced(data.train.labels, classes, count))
    return Calibration(split.images, split.hashes, "train", SEED)


def _balanced(labels: NDArray[np.integer], classes: int, count: int) -> NDArray[np.integer]:
    """Return the indices of `count` random images, of every class as many, give or take one.

    A class that has fewer gives all; the others make up for it.
    """
    available = np.bincount(labels, minlength=classes)
    share = np.zeros(classes, int)
    for _ in range(count):
        share[np.where(share < available, share, count).argmin()] += 1
    rng = np.random.default_rng(SEED)
    return np.concatenate(
        [rng.choice(np.flatnonzero(labels == c), share[c], replace=False) for c in range(classes)]
    )


def _from_folder(folder: Path, class_names: tuple[str, ...]) -> Calibration:
    missing = [name for name in class_names if not (folder / name).is_dir()]
    if missing:
        raise CalibrationError(
            f"{folder} lacks a folder for {', '.join(missing)}; expected a number of images, or a "
            f"folder with one folder of pictures a class."
        )
    images = []
    for name in class_names:
        paths = sorted(p for p in (folder / name).iterdir() if p.suffix.lower() in SUFFIXES)
        if not paths:
            raise CalibrationError(f"{folder / name} holds no pictures; put some of each class in.")
        try:
            images += [read_image(path) for path in paths]
        except ImageError as exc:
            raise CalibrationError(f"A calibration image cannot be used: {exc}") from exc
    hashes = tuple(pixel_hash(image) for image in images)
    return Calibration(np.stack(images), hashes, "folder", None)


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
    classes = len(data.class_names)
    drawn = _balanced(data.train.labels, classes, classes * PER_CLASS)
    first = [np.flatnonzero(data.held_out.labels == c)[:PER_CLASS] for c in range(classes)]
    chosen = {
        "train": data.train.take(drawn),
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
