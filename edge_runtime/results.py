"""What one image or frame gives, and the layout in which results are written.

Every file that makes, passes on or writes results builds on this one. It imports only `errors`.

One layout serves JSON, CSV and Parquet. Each record stands for one image or frame:

    source       what the user named: a path, a URL or a camera
    frame        frames only: its number in the source, from 1
    captured_at  frames only: when it was read, in seconds since the epoch
    age_ms       frames only: its age when its classes were known
    dropped      frames only: frames passed over since the previous result
    predictions  the best classes, best first, each with label, index and score
    accepted     false if the model's threshold rejects the best class
    model        the name of the model that decided; both names, joined by +, if the mean of two did
    delegate     what ran it
    error        instead of predictions to delegate: why there are none
    layout       `LAYOUT`, which changes when a field changes its name or meaning

CSV has one row for each prediction, without the times and counts of frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self, overload

from edge_runtime.errors import EdgeRuntimeError

LAYOUT = 2
NONE_OF_THESE = "none-of-these"  # a model's output of this name is never a prediction


@dataclass(frozen=True)
class Prediction:
    """One class that an image may belong to."""

    label: str
    index: int  # of the class in the model's output
    score: float  # after softmax, 0-1


@dataclass(frozen=True)
class Result:
    """What an image gives: predictions, or the error that prevents them.

    A result iterates over its predictions, and `result[0]` is the best of them.

    Attributes:
        predictions: the best classes, best first.
        accepted: whether the best class counts as recognised; false if there is an error.
        model: the name of the model that decided; both names, joined by +, if the mean of two did.
        error: why there are no predictions.
    """

    predictions: tuple[Prediction, ...] = ()
    accepted: bool = True
    model: str = ""
    error: EdgeRuntimeError | None = None

    def __post_init__(self) -> None:
        """Accept no result that has an error."""
        if self.error is not None:
            object.__setattr__(self, "accepted", False)  # the class is frozen

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.predictions)

    def __len__(self) -> int:
        return len(self.predictions)

    @overload
    def __getitem__(self, place: int) -> Prediction: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[Prediction, ...]: ...

    def __getitem__(self, place: int | slice) -> Prediction | tuple[Prediction, ...]:
        return self.predictions[place]

    def at_least(self, threshold: float) -> Self:
        """Return this result without the predictions that score below `threshold`."""
        if threshold <= 0:
            return self
        return replace(self, predictions=tuple(p for p in self if p.score >= threshold))


@dataclass(frozen=True, kw_only=True)
class Frame(Result):
    """What a frame of a camera or video gives.

    Attributes:
        frame: its number in the source, from 1.
        captured_at: when it was read, in seconds since the epoch.
        age_ms: its age when its classes were known.
        dropped: frames passed over since the previous result, besides those that `every` skips.
    """

    frame: int
    captured_at: float
    age_ms: float
    dropped: int


def record(source: str, result: Result, delegate: str) -> dict[str, Any]:
    """Return a result in the layout that this file describes, as JSON types.

    Args:
        source: what the user named.
        delegate: what ran the model.
    """
    fields: dict[str, Any] = {"source": source}
    if isinstance(result, Frame):
        fields["frame"] = result.frame
        fields["captured_at"] = result.captured_at
        fields["age_ms"] = result.age_ms
        fields["dropped"] = result.dropped
    if result.error is not None:
        fields["error"] = str(result.error)
    else:
        fields["predictions"] = [
            {"label": p.label, "index": p.index, "score": p.score} for p in result
        ]
        fields["accepted"] = result.accepted
        fields["model"] = result.model
        fields["delegate"] = delegate
    fields["layout"] = LAYOUT
    return fields
