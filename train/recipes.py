"""How each network is trained: the recipe of the seed document, and the best one we have.

The seed document is the course report that this project started from. Recipes are data: what they
mean is in `train.fit`, and the networks are in `train.networks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from train.precision import Precision


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that determines a training run, except the data and the random seed."""

    network: str
    architecture: Mapping[str, Any] = field(default_factory=dict)  # of the deployed network
    training_form: Mapping[str, Any] = field(default_factory=dict)  # and only while training
    fine_tune: bool = False  # from the network's checkpoint, see `train.finetune`
    epochs: int  # at most; early stopping may end the run before
    batch_size: int  # images
    optimizer: Literal["adam", "sgd"]  # sgd: Nesterov momentum 0.9
    learning_rate: float  # the highest
    schedule: Literal["plateau", "one-cycle"]
    warm_up: float = 0.0  # share of the cycle's steps; one-cycle only
    restarts: tuple[tuple[int, float], ...] = ()  # (epochs, highest rate) of each further cycle
    plateau_factor: float = 1.0  # learning rate times this when the held-out loss stalls
    plateau_patience: int = 0  # epochs
    min_learning_rate: float = 0.0
    early_stopping_patience: int | None = None  # epochs; None: run to the end, keep the last
    weight_decay: float = 0.0  # decoupled: a step takes learning rate x this off each kernel
    flip: bool = False
    translate: int = 0  # pixels
    crop: float | None = None  # least share of an image's area that is enlarged to the whole
    recolour: float = 0.0  # most by which brightness, contrast and saturation change, a share
    cutout: int = 0  # pixels
    mixup: float = 0.0  # alpha of the Beta distribution
    soften: float = 0.0  # share of images enlarged eightfold and shrunk again
    low_resolution: tuple[tuple[int, int], ...] = ()  # (epochs, side in pixels) at the start
    label_smoothing: float = 0.0
    teacher: str | None = None  # network whose checkpoint teaches
    temperature: float = 1.0  # softens the scores of teacher and student
    teacher_weight: float = 0.0  # share of the loss
    # Number of augmentations of each image, used in turn and, if `flip`, mirrored every other
    # time; None: a new one each epoch.
    views: int | None = None
    ema: float | None = None  # decay of the averaged weights at each step, see `train.averaging`
    precision: Precision = "float32"
    calibrate: bool = False  # fold a temperature in, fitted on the held-out images

    def choices(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults; they identify the recipe."""
        defaults = {
            f.name: f.default_factory() if callable(f.default_factory) else f.default
            for f in fields(self)
        }
        return {name: v for name, v in asdict(self).items() if v != defaults[name]}

    def in_epochs(self, epochs: int) -> Recipe:
        """Return the recipe for another number of epochs, in one cycle shaped like its first."""
        first = self.epochs - sum(further for further, _ in self.restarts)
        low = ((round(n * epochs / first), side) for n, side in self.low_resolution)
        return replace(
            self,
            epochs=epochs,
            restarts=(),
            low_resolution=tuple((n, side) for n, side in low if n),
        )

    def until(self, epoch: int) -> Recipe:
        """Return the recipe of the first epochs, up to `epoch`: without the cycles after them."""
        if not self.restarts:
            return self
        *earlier, (epochs, _) = self.restarts
        before = self.epochs - epochs
        if epoch > before:
            return self
        return replace(self, epochs=before, restarts=tuple(earlier)).until(epoch)

    def without(self, improvement: str) -> Recipe:
        """Return the recipe without one of `IMPROVEMENTS`, to measure what that one is worth.

        Raises:
            ValueError: the recipe does not have the improvement.
        """
        plain: dict[str, Any] = {
            f.name: f.default for f in fields(self) if f.name in IMPROVEMENTS[improvement]
        }
        if improvement in ("norm", "branches"):
            left = {k: v for k, v in self.training_form.items() if k != "branches"}
            if improvement == "norm":
                left.pop("norm", None)
            plain = {"training_form": left}
        changed = replace(self, **plain)
        if changed == self:
            raise ValueError(f"this recipe has no {improvement} to leave out")
        return changed


# The fields that `without` sets back to their defaults, by the name of the improvement.
IMPROVEMENTS: dict[str, tuple[str, ...]] = {
    "flip": ("flip",),
    "translate": ("translate",),
    "crop": ("crop",),
    "recolour": ("recolour",),
    "cutout": ("cutout",),
    "mixup": ("mixup",),
    "soften": ("soften",),
    "label-smoothing": ("label_smoothing",),
    "weight-decay": ("weight_decay",),
    "ema": ("ema",),
    "low-resolution": ("low_resolution",),
    "distillation": ("teacher", "temperature", "teacher_weight", "views"),
    # These two are in `training_form`. Without "norm", the BatchNorm after every layer, there can
    # be no branches either.
    "norm": (),
    "branches": (),
}

RECIPES: dict[tuple[str, str], Recipe] = {
    # The seed document states epochs, batch size, early stopping and the plateau schedule. It does
    # not state the optimizer and the dropout: we use Adam at its default rate, and the dropout of
    # Keras' CIFAR-10 example. Its network reached 0.83 accuracy and 0.58 loss on the test images.
    ("cnn", "seed"): Recipe(
        network="cnn",
        epochs=20,
        batch_size=64,
        optimizer="adam",
        learning_rate=1e-3,
        schedule="plateau",
        plateau_factor=0.5,
        plateau_patience=2,
        min_learning_rate=1e-7,
        early_stopping_patience=3,
        training_form={"dropout_blocks": 0.25, "dropout_head": 0.5},
    ),
    # Without cutout, smoothed labels and dropout, which add hardly anything to a teacher's scores
    # in a network of this size.
    ("cnn", "best"): Recipe(
        network="cnn",
        epochs=125,
        batch_size=128,
        optimizer="sgd",
        learning_rate=0.2,
        schedule="one-cycle",
        warm_up=0.2,
        restarts=((80, 0.15),),
        weight_decay=5e-3,  # as 5e-4 in the loss at momentum 0.9: 5e-4 / (1 - 0.9)
        flip=True,
        translate=3,
        mixup=0.2,
        soften=0.5,
        teacher="resnet18",
        temperature=4.0,
        teacher_weight=0.9,
        views=8,
        training_form={
            "dropout_blocks": 0.0,
            "dropout_head": 0.0,
            "norm": "every",
            "branches": True,
        },
        ema=0.999,
        precision="bfloat16",
        calibrate=True,
    ),
    # Without a teacher, so it trains on any data at once.
    ("cnn", "untaught"): Recipe(
        network="cnn",
        epochs=40,
        batch_size=128,
        optimizer="sgd",
        learning_rate=0.2,
        schedule="one-cycle",
        warm_up=0.2,
        weight_decay=5e-3,
        flip=True,
        translate=3,
        cutout=8,
        label_smoothing=0.1,
        training_form={"dropout_blocks": 0.0, "dropout_head": 0.1, "norm": "every"},
        ema=0.999,
        precision="bfloat16",
        calibrate=True,
    ),
    # The seed document trained the network of its table for 10 epochs, from ImageNet weights. It
    # does not state the patience of the schedule and the optimizer: both are our reading.
    ("resnet18", "seed"): Recipe(
        network="resnet18",
        architecture={"stem": "imagenet"},
        epochs=10,
        batch_size=64,
        optimizer="adam",
        learning_rate=1e-3,
        schedule="plateau",
        plateau_factor=0.001,
        plateau_patience=2,
        early_stopping_patience=3,
    ),
    ("resnet18", "best"): Recipe(
        network="resnet18",
        training_form={"side": None, "zero_init_residual": True},
        epochs=65,
        batch_size=128,
        optimizer="sgd",
        learning_rate=0.1,
        schedule="one-cycle",
        warm_up=0.2,
        restarts=((13, 0.06), (12, 0.06), (18, 0.06)),
        weight_decay=5e-3,
        flip=True,
        translate=4,
        cutout=8,
        soften=0.3,
        low_resolution=((5, 16), (8, 24)),  # these take 1/3 and 0.6 of a full epoch's time
        label_smoothing=0.1,
        ema=0.999,
        precision="bfloat16",
        calibrate=True,
    ),
    # Rates up to 0.02 were tried and ended no better: docs/results.md has the figures.
    ("efficientnet-lite0", "best"): Recipe(
        network="efficientnet-lite0",
        architecture={"side": 224, "stage_features": True},
        training_form={"frozen_stages": 3},
        fine_tune=True,
        epochs=10,
        batch_size=16,
        optimizer="sgd",
        learning_rate=0.0005,
        schedule="one-cycle",
        warm_up=0.15,
        early_stopping_patience=3,
        flip=True,
        crop=0.5,
        recolour=0.2,
        label_smoothing=0.1,
        calibrate=True,
    ),
}
