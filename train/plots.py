"""The plots of a training run, as PNG files."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from edge_runtime.support.files import replacing
from train.dataset import Split

History = Sequence[Mapping[str, float]]

_plain_text = rc_context({"text.parse_math": False})  # a $ in a name starts no formula
_MAX_CLASSES_WITH_NUMBERS = 25  # in a confusion matrix with more, they cannot be read


@_plain_text
def curves(histories: Mapping[str, History], path: Path, title: str) -> None:
    """Draw loss and top-1 accuracy of each epoch: dashed on training images, solid on held-out.

    Args:
        histories: a row for each epoch, by the name of the run.

    Raises:
        OSError: the file cannot be written.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    for axes, merit in zip(figure.subplots(1, 2), ("loss", "top1"), strict=True):
        for number, (name, history) in enumerate(histories.items()):
            epochs = range(1, len(history) + 1)
            for split, style in (("train", "--"), ("held_out", "-")):
                values = [row[f"{split}_{merit}"] for row in history]
                axes.plot(
                    epochs,
                    values,
                    style,
                    marker="." if len(history) < 2 else None,
                    color=f"C{number}",
                    label=f"{name}, {'training' if split == 'train' else 'held-out'} images",
                )
        axes.set(xlabel="epoch", ylabel={"loss": "loss", "top1": "top-1"}[merit])
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    figure.suptitle(title)
    _write(figure, path)


@_plain_text
def confusion(
    matrix: NDArray[np.int64], class_names: Sequence[str], path: Path, title: str
) -> None:
    """Draw a confusion matrix twice: as counts, and in percent of each true class.

    Numbers are written into the cells for up to 25 classes.

    Args:
        matrix: int64 (classes, classes), rows are true classes.

    Raises:
        OSError: the file cannot be written.
    """
    side = max(7.0, 0.14 * len(class_names))
    figure = Figure(figsize=(2 * side + 1, side), layout="constrained")
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    left, right = figure.subplots(1, 2)
    _matrix(left, shares, [[f"{n}" for n in row] for row in matrix], class_names, "images")
    percent = [[f"{100 * s:.1f}" for s in row] for row in shares]
    _matrix(right, shares, percent, class_names, "percent of the true class")
    figure.suptitle(title)
    _write(figure, path)


def reliability(
    scores: NDArray[np.floating], labels: NDArray[np.integer], path: Path, title: str
) -> None:
    """Draw accuracy against the best score, in ten bins, with the number of images in each.

    Args:
        scores: (N, classes), after softmax.
        labels: integer (N,), true class indices.

    Raises:
        OSError: the file cannot be written.
    """
    best = scores.max(axis=1)
    right = scores.argmax(axis=1) == labels
    bin_of = np.minimum((best * 10).astype(int), 9)
    images = np.bincount(bin_of, minlength=10)
    accuracy = np.bincount(bin_of, weights=right, minlength=10) / np.maximum(images, 1)
    figure = Figure(figsize=(6, 6), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="black", linewidth=1, linestyle=":", label="calibrated")
    axes.bar(
        np.arange(10) / 10 + 0.05, accuracy, width=0.09, color="C0", alpha=0.8, label="measured"
    )
    for bin_number in np.flatnonzero(images):
        axes.text(
            bin_number / 10 + 0.05,
            accuracy[bin_number] + 0.01,
            f"{images[bin_number]}",
            ha="center",
            fontsize=8,
        )
    axes.set(xlabel="best score", ylabel="top-1", xlim=(0, 1), ylim=(0, 1.05), title=title)
    axes.legend(loc="upper left")
    _write(figure, path)


@_plain_text
def mistakes(
    split: Split, scores: NDArray[np.floating], class_names: Sequence[str], path: Path, title: str
) -> None:
    """Draw up to 40 wrongly classified images, those whose wrong class scored highest.

    Args:
        scores: (N, classes), after softmax.

    Raises:
        OSError: the file cannot be written.
    """
    predicted = scores.argmax(axis=1)
    wrong = np.flatnonzero(predicted != split.labels)
    worst = wrong[np.argsort(-scores[wrong].max(axis=1), kind="stable")][:40]
    figure = Figure(figsize=(13, 9), layout="constrained")
    grid = figure.subplots(5, 8).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, index in zip(grid, worst, strict=False):
        axes.imshow(split.images[index])
        true, predicted_name = class_names[split.labels[index]], class_names[predicted[index]]
        axes.set_title(f"{true}\nnot {predicted_name} {scores[index].max():.2f}", fontsize=8)
    figure.suptitle(title)
    _write(figure, path)


def _matrix(
    axes: Axes,
    shares: NDArray[np.floating],
    texts: Sequence[Sequence[str]],
    class_names: Sequence[str],
    title: str,
) -> None:
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    few = len(class_names) <= _MAX_CLASSES_WITH_NUMBERS
    for (row, column), share in np.ndenumerate(shares) if few else ():
        colour = "white" if share > 0.5 else "black"
        text = texts[row][column]
        axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    size = 10 if few else 7
    axes.set_xticks(
        range(len(class_names)), class_names, rotation=45 if few else 90, ha="right", fontsize=size
    )
    axes.set_yticks(range(len(class_names)), class_names, fontsize=size)
    axes.set(xlabel="predicted", ylabel="true", title=title)


def _write(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a character that the font lacks becomes a box
        figure.savefig(temporary, dpi=120, format="png")
