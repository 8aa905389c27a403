"""What an export starts from: a network with its weights, and the images that it needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from export import calibration
from train import weights
from train.architectures import NETWORKS
from train.dataset import Dataset, Split
from train.evaluation import predict


@dataclass(frozen=True)
class Source:
    """A network with its weights, and the images that its exports are made and judged with.

    Attributes:
        about: what the checkpoint says of itself, see `train.run.ship`.
        sha256: of the checkpoint.
        shipped: whether the checkpoint is one that this project ships.
        held_out: images that judge: all of them, or the committed ones.
        scores: the float network's on them, float32 (N, classes).
        data: the data set, where it is there.
    """

    model: keras.Model
    about: dict[str, Any]
    sha256: str
    shipped: bool
    class_names: tuple[str, ...]
    calibration: calibration.Calibration
    held_out: Split
    scores: NDArray[np.float32]
    data: Dataset | None

    @property
    def judged_on(self) -> str:
        """A phrase for the images that judge."""
        if self.data is None:
            return f"the {len(self.held_out):,} committed held-out images (no data set is there)"
        return f"{len(self.held_out):,} held-out images"


def load(
    network: str, checkpoint: Path, *, images: str | None = None, data: Dataset | None = None
) -> Source:
    """Load a network's checkpoint and choose the images.

    Args:
        network: a name in `train.architectures.NETWORKS`.
        images: for calibration, see `export.calibration.choose`.
        data: of the classes that the checkpoint tells apart; needed where they are not CIFAR-10's.

    Raises:
        CheckpointError: the checkpoint is missing, damaged, of another network or other classes.
        CalibrationError: the images cannot be had.
    """
    committed = calibration.read()
    _, metadata = weights.read(checkpoint)
    about = json.loads(metadata.get("about", "{}"))
    names = tuple(about.get("class_names", committed.class_names))
    if names != (committed.class_names if data is None else data.class_names):
        raise weights.CheckpointError(
            f"{checkpoint} tells {', '.join(names)} apart; expected --data to name images of these "
            f"classes, {{train,test}}/CLASS/*.png."
        )
    holds = about.get("network", network)
    if holds != network:
        raise weights.CheckpointError(
            f"{checkpoint} holds a {holds} and not a {network}; add --network {holds}."
        )
    architecture = about.get("recipe", {}).get("architecture", {})
    model = NETWORKS[network](len(names), **architecture if "network" in about else {})
    weights.load(model, checkpoint)
    held_out = committed.held_out if data is None else data.held_out
    return Source(
        model=model,
        about=about,
        sha256=weights.file_hash(checkpoint),
        shipped=checkpoint.resolve().parent == weights.SHIPPED.resolve(),
        class_names=names,
        calibration=calibration.choose(images, committed, data),
        held_out=held_out,
        scores=predict(model, held_out.images),
        data=data,
    )
