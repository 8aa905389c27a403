"""How long a classification takes with several views, compared with one view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from edge_runtime import Classifier
from edge_runtime.support.timing import TimeRatio, compare_times, measure

if TYPE_CHECKING:
    from edge_runtime.inference.preprocessing import ImageLike

_CAMERA = (4000, 3000)  # pixels


def time_ratios(
    model: str, numbers: Sequence[int], images: Sequence[ImageLike], rounds: int
) -> dict[int, TimeRatio]:
    """Time `classify` with each number of views, interleaved, from file to predictions.

    Args:
        model: model as for `Classifier`.
        numbers: of views; the first is what the others are compared with.
        images: classified in turns; in each round all numbers take the same one.
        rounds: number of rounds.
    """
    with ExitStack() as stack:
        calls: dict[str, Callable[[], object]] = {}
        for views in numbers:
            classifier = stack.enter_context(Classifier(model, views=views))
            calls[str(views)] = partial(_classify_next, classifier, cycle(images))
        times = measure(calls, rounds=rounds, warm_up=min(len(images), 10))
    base = times[str(numbers[0])]
    return {views: compare_times(base, times[str(views)]) for views in numbers[1:]}


def camera_photograph(source: Path, folder: Path) -> Path:
    """Write a photograph as a JPEG of 12 megapixels, and return its path."""
    path = folder / "camera.jpg"
    with Image.open(source) as image:
        enlarged = image.convert("RGB").resize(_CAMERA, Image.Resampling.BICUBIC)
    enlarged.save(path, quality=90)
    return path


def _classify_next(classifier: Classifier, images: cycle[ImageLike]) -> object:
    return classifier.classify(next(images))
