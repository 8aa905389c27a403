"""A second opinion: if a model is unsure, the mean of its scores and another model's decides.

The mean is more often right than the second model alone (`python -m export.second_opinion` prints
both). A model card holds in `second_opinions`, by the SHA-256 of the second model's file:

    name          of the second model
    unsure_below  the first model is unsure of images whose best score is below it
    measured_on   names the images, in a phrase; none of them trained a model
    images        how many there are
    asked         share of them for which the second model was asked, 0-1
    top1          share that is right, 0-1: of the first model, of the second, and of both together
    acceptance    of both together, see `edge_runtime.inference.acceptance`

The best score is that of any output, so a model that is sure of `none-of-these` is not unsure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from edge_runtime.errors import OptionError
from edge_runtime.inference.loading import Options, accepted_by
from edge_runtime.support.files import file_sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from edge_runtime.inference.acceptance import Acceptance
    from edge_runtime.inference.metadata import Metadata
    from edge_runtime.inference.preprocessing import ImageLike, Preprocessing
    from edge_runtime.results import Result


class _Model(Protocol):
    """What is used of `edge_runtime.inference.model.Model`, which imports this file."""

    name: str
    preprocessing: Preprocessing

    def tensors(self, pixels: Image.Image | NDArray[np.uint8]) -> list[NDArray[Any]]: ...

    def mean_scores(self, tensors: Sequence[NDArray[Any]]) -> NDArray[np.float32]: ...

    def result(self, scores: NDArray[np.float32], name: str, *, top_k: int) -> Result: ...


M = TypeVar("M", bound=_Model)


class Opinion(NamedTuple):
    """What the first model says about an image.

    Attributes:
        scores: its scores, float32 (classes,), 0-1.
        unsure: the image as input tensors of the second model, see `Model.tensors`; None if the
            first model is sure.
    """

    scores: NDArray[np.float32]
    unsure: Sequence[NDArray[Any]] | None = None


class SecondOpinion(Generic[M]):
    """The model that is asked if another one is unsure.

    Attributes:
        model: the second model.
        unsure_below: the first model is unsure of images whose best score is below this.
        name: the names of both models, joined by "+"; results that both decide carry it.
    """

    def __init__(self, first: M, second: M, unsure_below: float) -> None:
        """Join two models.

        Args:
            first: decodes the images for both, in the size that the larger of both needs.
            second: has the same classes.
            unsure_below: a score, 0-1.
        """
        self.model = second
        self.unsure_below = unsure_below
        self.name = f"{first.name}+{second.name}"
        first.preprocessing.widen(second.preprocessing)

    def ask_first(self, first: M, image: ImageLike) -> Opinion:
        """Return what the first model says about an image.

        Args:
            first: the first model.
            image: as for `Model.classify`, as are the errors raised.
        """
        pixels = first.preprocessing.decode(image)
        scores = first.mean_scores(first.tensors(pixels))
        if scores.max() >= self.unsure_below:
            return Opinion(scores)
        return Opinion(scores, self.model.tensors(pixels))

    def decide(self, opinion: Opinion) -> NDArray[np.float32]:
        """Return the scores that count, float32 (classes,), 0-1.

        Raises:
            ModelError: the second model fails.
            ValueError: it is closed.
        """
        if opinion.unsure is None:
            return opinion.scores
        return mean(opinion.scores, self.model.mean_scores(opinion.unsure))

    def result(self, first: M, opinion: Opinion, *, top_k: int = 1) -> Result:
        """Return the result of an image, as `Model.classify` does.

        Args:
            first: the first model.
            opinion: what it says about the image, from `ask_first`.
            top_k: how many classes the result gets.

        Raises:
            ModelError: the second model fails.
            ValueError: `top_k` is not positive, or a model is closed.
        """
        name = first.name if opinion.unsure is None else self.name
        return first.result(self.decide(opinion), name, top_k=top_k)


def mean(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of two models' scores, float32 (..., classes).

    Args:
        first: scores of the first model, float32 (..., classes), 0-1.
        second: scores of the second model for the same images, of the same shape.
    """
    return (first + second) * np.float32(0.5)


class Agreed(NamedTuple):
    """What a model card and the caller say about a pair of models.

    Attributes:
        unsure_below: see `SecondOpinion`.
        acceptance: which best classes of the pair count; None if all do.
    """

    unsure_below: float
    acceptance: Acceptance | None


def agree(
    options: Options,
    metadata: Metadata,
    labels: tuple[str, ...],
    second: Path,
    unsure_below: float | None,
) -> Agreed:
    """Return when to ask the second model, and which best classes of the pair count.

    Args:
        options: what the caller of `Model` asked for.
        metadata: of the first model's file.
        labels: of the pair's classes.
        second: the second model's file.
        unsure_below: what the caller asked for; None takes the card's.

    Raises:
        OptionError: neither the card nor the caller says when to ask, or `max_error` cannot be
            kept, or was not measured for this pair.
    """
    entry = _entry(metadata.card, second)
    if unsure_below is None:
        if entry is None:
            raise OptionError(
                f"{options.path} does not say when to ask {second}; choose a score with "
                f"--unsure-below, for example 0.9."
            )
        unsure_below = float(entry["unsure_below"])
    overruled = entry is not None and entry["unsure_below"] != unsure_below
    measured = None if entry is None or overruled else entry.get("acceptance")
    if options.max_error is not None and measured is None:
        others = "--unsure-below" if overruled else "--second-opinion"
        raise OptionError(
            f"--max-error was not measured for {options.path} and {second} with --unsure-below "
            f"{unsure_below:g}; omit --max-error, or {others}."
        )
    return Agreed(unsure_below, accepted_by(options, measured, labels))


def ensure_same_labels(
    first: Path, of_first: tuple[str, ...], second: Path, of_second: tuple[str, ...]
) -> None:
    """Reject two models of different classes.

    Args:
        first: the first model's file.
        of_first: its labels.
        second: the second model's file.
        of_second: its labels.

    Raises:
        OptionError: the labels differ, or their order does.
    """
    if of_first != of_second:
        raise OptionError(
            f"{second} cannot give a second opinion to {first}, because "
            f"{_difference(of_first, of_second)}; choose a model of the same labels in the same "
            f"order."
        )


def _entry(card: Mapping[str, Any], second: Path) -> Mapping[str, Any] | None:
    """Return what a card says about a second model; None if it says nothing of use."""
    entries = card.get("second_opinions")
    if not isinstance(entries, Mapping) or not entries:
        return None
    entry = entries.get(file_sha256(second))
    usable = isinstance(entry, Mapping) and isinstance(entry.get("unsure_below"), float | int)
    return entry if usable else None


def _difference(of_first: tuple[str, ...], of_second: tuple[str, ...]) -> str:
    if len(of_first) != len(of_second):
        return f"it has {len(of_second):,} labels instead of {len(of_first):,}"
    pairs = zip(of_first, of_second, strict=True)
    return next(
        f"its label {at} is {b} instead of {a}" for at, (a, b) in enumerate(pairs) if a != b
    )
