"""What a recipe says, and which of its improvements can be left out.

Recipes are data: what they mean is in `train.fit`, and those we have are in `train.recipes`.
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
    continues: bool = False  # from all weights of a checkpoint of the network
    only_outlier_head: bool = False  # all other weights stay, see `train.fit_outlier_head`
    enlarge: bool = False  # take images of CIFAR-10's side and enlarge them to the network's
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
    # What outliers a recipe learns from is no part of it: `--outliers` names them.
    outlier_weight: float = 0.0  # of their cross-entropy with equal scores, see `train.exposure`
    outlier_share: float = 0.0  # outliers in a batch, for each of its images
    surroundings: float = 0.0  # share of images shown on a part of an outlier's image
    recompress: float = 0.0  # share of images and outliers that are JPEG-compressed
    ema: float | None = None  # decay of the averaged weights at each step, see `train.averaging`
    precision: Precision = "float32"
    calibrate: bool = False  # fold a temperature in, fitted on the held-out images

    @property
    def takes_outliers(self) -> bool:
        """Whether a training needs outliers, to learn from or as surroundings."""
        return bool(self.outlier_weight or self.surroundings)

    def outliers_of(self, images: int) -> int:
        """Return how many outliers join a number of images of a batch: none, or at least one."""
        return max(1, round(self.outlier_share * images)) if self.outlier_weight else 0

    def with_outliers(self) -> Recipe:
        """Return the recipe with `OUTLIERS`, the term for outliers, unless it has its own."""
        return self if self.takes_outliers else replace(self, **OUTLIERS)

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
    "outliers": ("outlier_weight", "outlier_share"),
    "surroundings": ("surroundings",),
    "recompress": ("recompress",),
    "low-resolution": ("low_resolution",),
    "distillation": ("teacher", "temperature", "teacher_weight", "views"),
    # These two are in `training_form`. Without "norm", the BatchNorm after every layer, there can
    # be no branches either.
    "norm": (),
    "branches": (),
}

# What `--outliers` adds to a recipe. 64 outliers join each 128 images.
OUTLIERS: dict[str, Any] = {
    "outlier_weight": 0.5,
    "outlier_share": 0.5,
    "surroundings": 0.25,
    "recompress": 0.25,
}
