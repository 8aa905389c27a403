"""What an export starts from: a network with its weights, and the images that it needs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.files import file_sha256
from export import calibration, committed
from train import weights
from train.dataset import Dataset, Split
from train.evaluation import predict
from train.networks import NETWORKS


@dataclass(frozen=True)
class ExportInputs:
    """A network with its weights, and the images that calibrate and judge its exports.

    Attributes:
        model: the network with its weights.
        checkpoint: the file of the weights.
        about: what the checkpoint says about itself; `python -m train ship` writes it.
        sha256: of the checkpoint.
        shipped: whether the checkpoint is one that this project ships.
        class_names: by class index.
        calibration: images that set activation ranges.
        held_out: images that judge: all held-out images, or the committed ones.
        scores: the float network's scores of `held_out`, float32 (N, classes).
        data: the data set, or None if it is not available.
    """

    model: keras.Model
    checkpoint: Path
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
        """Name the images that judge, in a phrase."""
        if self.data is None:
            return f"the {len(self.held_out):,} committed held-out images (no data set was named)"
        return f"{len(self.held_out):,} held-out images"


def load_inputs(
    network: str, checkpoint: Path, *, images: str | None = None, data: Dataset | None = None
) -> ExportInputs:
    """Load a network's checkpoint and choose the images.

    Args:
        network: a name in `train.networks.NETWORKS`.
        checkpoint: a safetensors file.
        images: calibration images, see `export.calibration.choose`.
        data: the data set; needed if the checkpoint's classes are not CIFAR-10's.

    Raises:
        CheckpointError: the checkpoint is missing, damaged, or of another network or classes.
        CalibrationError: the images are not available.
        OSError: the checkpoint cannot be read.
    """
    shipped_images = committed.read()
    _, metadata = weights.read(checkpoint)
    about = json.loads(metadata.get("about", "{}"))
    names = tuple(about.get("class_names", shipped_images.class_names))
    if names != (shipped_images.class_names if data is None else data.class_names):
        raise weights.CheckpointError(
            f"{checkpoint} has the classes {', '.join(names)}; name images of these classes with "
            f"--data, as {{train,test}}/CLASS/*.png."
        )
    holds = about.get("network", network)
    if holds != network:
        raise weights.CheckpointError(
            f"{checkpoint} holds a {holds}, not a {network}; add --network {holds}."
        )
    architecture = about.get("recipe", {}).get("architecture", {})
    model = NETWORKS[network].build(len(names), **architecture if "network" in about else {})
    weights.load(model, checkpoint)
    held_out = shipped_images.held_out if data is None else data.held_out
    return ExportInputs(
        model=model,
        checkpoint=checkpoint,
        about=about,
        sha256=file_sha256(checkpoint),
        shipped=checkpoint.resolve().parent == weights.SHIPPED.resolve(),
        class_names=names,
        calibration=calibration.choose(images, shipped_images, data),
        held_out=held_out,
        scores=predict(model, held_out.images),
        data=data,
    )
