"""Knowledge distillation: a student learns the scores of a teacher in addition to the labels.

Hinton, Vinyals and Dean 2015, arXiv:1503.02531. The teacher scores the same view of an image that
the student sees (Beyer et al. 2022, arXiv:2106.05237).

If a recipe limits the number of views, each is scored once and its scores are kept in the run's
folder. On a CPU the teacher's forward pass costs several times the student's whole training step. A
view that returns mirrored keeps its scores, because the teacher learned to ignore mirroring.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from edge_runtime.support.files import replacing
from train import weights
from train.evaluation import predict
from train.networks import NETWORKS
from train.views import View

_TINY = 1e-30  # keeps logarithms of scores finite; the smallest float32 is about 1e-38


class Teacher:
    """One or more trained networks that score views: the mean of their scores."""

    def __init__(self, network: str, checkpoints: Sequence[Path], classes: int) -> None:
        """Load the teacher.

        Args:
            network: a name in `train.networks.NETWORKS`, for checkpoints that do not say theirs.
            checkpoints: weights, one file a network.
            classes: the number of their classes.

        Raises:
            CheckpointError: a checkpoint is missing, damaged or of another network.
        """
        self._models = []
        for checkpoint in checkpoints:
            about = weights.about(checkpoint)
            architecture = about.get("recipe", {}).get("architecture", {})
            model = NETWORKS[about.get("network", network)].build(classes, **architecture)
            weights.load(model, checkpoint)
            self._models.append(model)

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the teacher's scores, float32 (N, classes).

        Args:
            images: uint8 (N, H, W, 3), RGB, 0-255; each network gets them at its own side.
        """
        found: NDArray[np.float32] = np.mean([predict(m, images) for m in self._models], axis=0)
        return found

    def log_scores(self, view: View, kept: Path | None) -> NDArray[np.float32]:
        """Return the natural logarithms of the teacher's scores, float32 (N, classes).

        Args:
            kept: a file to read them from if it exists, otherwise to write them to.

        Raises:
            OSError: the file cannot be written.
        """
        if kept and kept.exists():
            return np.load(kept).astype(np.float32)
        scores = self.scores(view.images)
        # float16 even when not kept, so that a resumed run, which reads them, gets equal weights
        logarithms = np.log(np.maximum(scores, _TINY)).astype(np.float16)
        if kept:
            with replacing(kept) as temporary, temporary.open("wb") as stream:
                np.save(stream, logarithms)
        return logarithms.astype(np.float32)


def targets(view: View, log_scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return targets and teacher's scores for `DistillationLoss`: float32 (N, 2, classes)."""
    return np.stack([view.targets, log_scores], axis=1)


class DistillationLoss(keras.losses.Loss):
    """Cross-entropy with the labels, plus divergence from the teacher's softened scores.

    loss = (1 - weight) CE(labels, student) + weight T^2 KL(teacher_T || student_T)

    The index T means scores softened by the temperature: softmax(log(scores) / T), which equals
    softmax(logits / T). The factor T^2 keeps the size of the gradients (Hinton et al., section 2).
    """

    def __init__(self, temperature: float, weight: float) -> None:
        """Set the temperature T and the weight of the teacher's part, in [0, 1]."""
        super().__init__(name="distillation")
        self._temperature, self._weight = temperature, weight

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each image.

        Args:
            y_true: float32 (N, 2, classes), see `targets`.
            y_pred: float32 (N, classes), the student's scores.
        """
        labels, teacher = y_true[:, 0], y_true[:, 1]
        student = ops.log(ops.maximum(y_pred, _TINY))
        hard = -ops.sum(labels * student, axis=-1)
        softened = ops.log_softmax(teacher / self._temperature)
        divergence = softened - ops.log_softmax(student / self._temperature)
        soft = ops.sum(ops.exp(softened) * divergence, axis=-1)
        return (1 - self._weight) * hard + self._weight * self._temperature**2 * soft


def top1(y_true: Any, y_pred: Any) -> Any:
    """Return for each image whether the student's best class is the label's; a Keras metric."""
    return ops.equal(ops.argmax(y_true[:, 0], axis=-1), ops.argmax(y_pred, axis=-1))
