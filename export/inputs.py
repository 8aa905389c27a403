"""What an export starts from: a network with its weights, and the images that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.files import file_sha256
from export import calibration, committed, photographs
from train import efficientnet, weights
from train.dataset import Dataset, Split
from train.efficientnet import feature_extractor
from train.evaluation import predict
from train.networks import NETWORKS, batches_of

IMAGENET_CLASSES = Path(__file__).parent / "imagenet_classes.txt"


@dataclass(frozen=True)
class ExportInputs:
    """A network with its weights, and the images that calibrate and judge its exports.

    Attributes:
        model: the network with its weights.
        features: whether its features are exported rather than its scores.
        checkpoint: the file of the weights.
        about: what the checkpoint says about itself; `python -m train ship` writes it.
        sha256: of the checkpoint.
        shipped: whether the checkpoint is one that this project ships.
        class_names: by class index.
        calibration: images that set activation ranges.
        held_out: images that judge: all held-out images, or committed ones. `labels` is empty if
            the images have no labels of the network's classes.
        judged_on: names the images that judge, in a phrase.
        scores: the float network's scores, or features, of `held_out`, float32 (N, outputs).
        data: the data set, or None if it is not available.
    """

    model: keras.Model
    features: bool
    checkpoint: Path
    about: dict[str, Any]
    sha256: str
    shipped: bool
    class_names: tuple[str, ...]
    calibration: calibration.Calibration
    held_out: Split
    judged_on: str
    scores: NDArray[np.float32]
    data: Dataset | None

    @property
    def judges_accuracy(self) -> bool:
        """Whether accuracy judges an export, rather than how similar its outputs are."""
        return not self.features and len(self.held_out.labels) > 0


def load_inputs(
    network: str,
    checkpoint: Path,
    *,
    images: str | None = None,
    data: Dataset | None = None,
    features: bool = False,
    side: int | None = None,
) -> ExportInputs:
    """Load a network's checkpoint and choose the images.

    Args:
        network: a name in `train.networks.NETWORKS`.
        checkpoint: a safetensors file.
        images: calibration images, see `export.calibration.choose`.
        data: the data set; needed if the checkpoint's classes are neither CIFAR-10's nor
            ImageNet's, and its images have the network's side.
        features: export the features of an EfficientNet-Lite0, whose classes then do not matter.
        side: side of the images in pixels, for EfficientNet-Lite0 only; by default that of the
            checkpoint.

    Raises:
        CheckpointError: the checkpoint is missing, damaged, or of another network or classes.
        CalibrationError: the images are not available.
        OSError: the checkpoint cannot be read.
    """
    about = weights.about(checkpoint)
    holds = about.get("network", network)
    if holds != network:
        raise weights.CheckpointError(
            f"{checkpoint} holds a {holds}, not a {network}; add --network {holds}."
        )
    takes_photographs = network == efficientnet.NAME
    names = _class_names(about, imagenet=takes_photographs)
    if not features:
        _check_classes(checkpoint, about, names, data, imagenet=takes_photographs)
    architecture = dict(about.get("recipe", {}).get("architecture", {}))
    if takes_photographs:
        architecture["side"] = side = side or image_side(network, about)
        crops = photographs.read(side)
        chosen = calibration.choose_photographs(
            images, crops, data, side=side, class_names=None if features else names
        )
        unlabelled = Split(crops.judging, np.array([], np.uint8), ())
        held_out = unlabelled if data is None else data.held_out
        committed_images = f"{len(crops.judging)} crops of {crops.judges} committed photographs"
    else:
        shipped_images = committed.read()
        chosen = calibration.choose(images, shipped_images, data)
        held_out = shipped_images.held_out if data is None else data.held_out
        committed_images = f"{len(held_out):,} committed held-out images (no data set was named)"
    model = NETWORKS[network].build(len(names), **architecture if "network" in about else {})
    weights.load(model, checkpoint)
    return ExportInputs(
        model=model,
        features=features,
        checkpoint=checkpoint,
        about=about,
        sha256=file_sha256(checkpoint),
        shipped=checkpoint.resolve().parent == weights.SHIPPED.resolve(),
        class_names=names,
        calibration=chosen,
        held_out=held_out,
        judged_on=f"{len(held_out.images):,} held-out images"
        if data is not None
        else f"the {committed_images}",
        scores=_features(model, held_out.images) if features else predict(model, held_out.images),
        data=data,
    )


def _features(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    extractor = feature_extractor(model)
    batches = batches_of(model, images)
    return np.concatenate([np.asarray(extractor.predict_on_batch(batch)) for batch in batches])


def image_side(network: str, about: dict[str, Any]) -> int:
    """Return the side, in pixels, of the images that a checkpoint's network takes.

    Args:
        network: a name in `train.networks.NETWORKS`.
        about: what the checkpoint says about itself.
    """
    architecture = about.get("recipe", {}).get("architecture", {})
    return int(architecture.get("side", NETWORKS[network].side))


def _class_names(about: dict[str, Any], *, imagenet: bool) -> tuple[str, ...]:
    if "class_names" in about:
        return tuple(about["class_names"])
    if imagenet:
        return tuple(IMAGENET_CLASSES.read_text(encoding="utf-8").splitlines())
    return committed.read().class_names


def _check_classes(
    checkpoint: Path,
    about: dict[str, Any],
    names: tuple[str, ...],
    data: Dataset | None,
    *,
    imagenet: bool,
) -> None:
    """Make sure that the images have the network's classes.

    Raises:
        CheckpointError: they have others.
    """
    if imagenet and "class_names" not in about:
        if data is not None:
            raise weights.CheckpointError(
                f"{checkpoint} has ImageNet's 1,000 classes, which committed photographs judge; "
                f"omit --data, or name a checkpoint of your own classes with --checkpoint."
            )
    elif names != (committed.read().class_names if data is None else data.class_names):
        raise weights.CheckpointError(
            f"{checkpoint} has the classes {', '.join(names)}; name images of these classes with "
            f"--data, as {{train,test}}/CLASS/*.png."
        )
