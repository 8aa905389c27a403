"""What a network reached, as numbers and as plots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge_runtime.metrics import confusion_matrix, top1, wilson_interval
from train.atomic import replacing
from train.dataset import Split


@dataclass(frozen=True)
class Evaluation:
    """A network's figures on one split.

    Attributes:
        images: how many.
        top1: accuracy, a fraction.
        interval: its 95 % confidence interval (Wilson).
        loss: mean cross-entropy in nats, without label smoothing.
        confusion: int64 (classes, classes), rows are true classes.
    """

    images: int
    top1: float
    interval: tuple[float, float]
    loss: float
    confusion: NDArray[np.int64]

    def as_json(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the figures as JSON types, with the accuracy of each class by its name."""
        per_class = self.confusion.diagonal() / self.confusion.sum(axis=1)
        return {
            "images": self.images,
            "top1": self.top1,
            "top1_interval_95": list(self.interval),
            "loss": self.loss,
            "per_class": dict(zip(class_names, per_class.tolist(), strict=True)),
            "confusion": self.confusion.tolist(),
        }


def evaluate(model: keras.Model, split: Split, classes: int = 10) -> Evaluation:
    """Run a network over a split."""
    scores = np.concatenate(
        [
            np.asarray(model.predict_on_batch(split.images[i : i + 500].astype(np.float32) / 255))
            for i in range(0, len(split), 500)
        ]
    )
    accuracy = top1(scores, split.labels)
    of_truth = scores[np.arange(len(split)), split.labels]
    return Evaluation(
        images=len(split),
        top1=accuracy,
        interval=wilson_interval(accuracy, len(split)),
        loss=float(-np.log(np.maximum(of_truth.astype(np.float64), 1e-12)).mean()),
        confusion=confusion_matrix(scores.argmax(axis=1), split.labels, classes),
    )


def plot_curves(history: Sequence[dict[str, float]], path: Path, title: str) -> None:
    """Draw loss and top-1 accuracy of each epoch, training and held-out, as a PNG."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    epochs = range(1, len(history) + 1)
    for axes, figure_of_merit in zip(figure.subplots(1, 2), ("loss", "top1"), strict=True):
        for split, label in (("train", "training images"), ("held_out", "held-out images")):
            values = [row[f"{split}_{figure_of_merit}"] for row in history]
            axes.plot(epochs, values, marker=".", label=label)
        axes.set(xlabel="epoch", ylabel={"loss": "loss", "top1": "top-1"}[figure_of_merit])
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle(title)
    _write(figure, path)


def plot_confusion(
    confusion: NDArray[np.int64], class_names: Sequence[str], path: Path, title: str
) -> None:
    """Draw a confusion matrix with its counts as a PNG."""
    figure = Figure(figsize=(7.5, 7), layout="constrained")
    axes = figure.subplots()
    shares = confusion / confusion.sum(axis=1, keepdims=True)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(confusion):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(class_names)), class_names, rotation=45, ha="right")
    axes.set_yticks(range(len(class_names)), class_names)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    _write(figure, path)


def _write(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
