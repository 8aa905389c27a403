"""A second opinion: if a model is unsure, the mean of its scores and another model's decides.

The mean is more often right than the second model alone (`python -m export.second_opinion` prints
both). A model card holds in `second_opinions`, by the SHA-256 of the second model's file:

    name          of the second model
    unsure_below  the first model is unsure of images whose best score, as a share of all scores, is
                  below it
    measured_on   names the images, in a phrase; none of them trained a model
    images        how many there are
    asked         share of them for which the second model was asked, 0-1
    top1          share that is right, 0-1: of the first model, of the second, and of both together
    acceptance    of both together, see `edge_runtime.inference.acceptance`

The best score is that of any output, so a model that is sure of `none-of-these` is not unsure. If
an outlier head has multiplied the scores, their ratio counts: the second model is asked which class
it is, rather than whether it is any.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_runtime.errors import OptionError
from edge_runtime.inference import shipped
from edge_runtime.inference.loading import accepted_by
from edge_runtime.inference.scorer import Scorer
from edge_runtime.inference.scores import mean, total
from edge_runtime.support.files import file_sha256

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_runtime.inference.acceptance import Acceptance
    from edge_runtime.inference.preprocessing import ImageLike


class Opinion(NamedTuple):
    """What the first model says about an image.

    Attributes:
        scores: its scores, float32 (classes,), 0-1.
        name: of the model that decides, or of both.
        unsure: the image as input tensors of the second model, see `Scorer.tensors`; None if the
            first model is sure.
    """

    scores: NDArray[np.float32]
    name: str
    unsure: Sequence[NDArray[Any]] | None = None


class SecondOpinion:
    """The model that is asked if another one is unsure.

    Attributes:
        model: the second model.
        unsure_below: see `unsure`.
        name: the names of both models, joined by "+"; results that both decide carry it.
    """

    def __init__(self, first: Scorer, second: Scorer, unsure_below: float) -> None:
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

    def ask_first(self, first: Scorer, image: ImageLike) -> Opinion:
        """Return what the first model says about an image.

        Args:
            first: the first model.
            image: as for `Model.classify`, as are the errors raised.
        """
        pixels = first.preprocessing.decode(image)
        scores = first.mean_scores(first.tensors(pixels))
        if not unsure(scores, self.unsure_below):
            return Opinion(scores, first.name)
        return Opinion(scores, self.name, self.model.tensors(pixels))

    def decide(self, opinion: Opinion) -> NDArray[np.float32]:
        """Return the scores that count, float32 (classes,), 0-1.

        Raises:
            ModelError: the second model fails.
            ValueError: it is closed.
        """
        if opinion.unsure is None:
            return opinion.scores
        return mean([opinion.scores, self.model.mean_scores(opinion.unsure)])


def unsure(scores: NDArray[np.float32], below: float | NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return of which images a model is unsure, (...).

    Args:
        scores: of the model, float32 (..., classes), 0-1.
        below: the share of the best score that is sure, 0-1; at 1 none is. Broadcast with (...).
    """
    share = scores.max(axis=-1) / total(scores)[..., 0]
    return np.asarray((share < below) | np.greater_equal(below, 1))


def join(first: Scorer, model: str | Path) -> tuple[SecondOpinion, Acceptance | None]:
    """Load the second model, and return it and which best classes of the pair count.

    Args:
        first: the first model. What its caller asked for holds for both.
        model: path of the second model's file, or the name of a shipped model.

    Returns:
        The acceptance is None if every best class counts.

    Raises:
        ModelError: there is no such model, it is damaged, or it is not an image classifier.
        OptionError: the second model has other labels, an option does not fit it, nothing says when
            to ask it, or `max_error` cannot be kept.
        DelegateError: the first model's delegate does not take the second one.
    """
    path = shipped.find(model)
    if path.samefile(first.path):
        raise OptionError(f"--second-opinion {path} is --model itself; name another model.")
    unsure_below, acceptance = _agree(first, path)
    try:
        second = Scorer(
            first.options._replace(
                path=path,
                delegate=first.placement.delegate,
                threads=first.threads,
                second_opinion=None,
                unsure_below=None,
            )
        )
    except OptionError as exc:
        raise OptionError(f"--second-opinion {path}: {exc}") from exc
    if first.metadata.labels and second.metadata.labels:
        # The labels that the caller gives would hide a difference.
        _ensure_same_labels(first.path, first.metadata.labels, path, second.metadata.labels)
    _ensure_same_labels(first.path, first.labels, path, second.labels)
    return SecondOpinion(first, second, unsure_below), acceptance


def _agree(first: Scorer, second: Path) -> tuple[float, Acceptance | None]:
    """Return when to ask the second model, and which best classes of the pair count.

    Raises:
        OptionError: neither the card nor the caller says when to ask, or `max_error` cannot be
            kept, or was not measured for this pair.
    """
    options, unsure_below = first.options, first.options.unsure_below
    entry = _entry(first.metadata.card, second)
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
    return unsure_below, accepted_by(options, measured, first.labels, first.metadata.labels)


def _ensure_same_labels(
    first: Path, of_first: tuple[str, ...], second: Path, of_second: tuple[str, ...]
) -> None:
    """Raise an OptionError if the labels of two models differ, or their order does."""
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
