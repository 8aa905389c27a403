"""The figures of `python -m benchmarks.views` for one model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy import photograph
from benchmarks.contenders import open_classifier
from benchmarks.views.accuracy import (
    Gain,
    averaged,
    default_threshold,
    gain,
    scores_at_any_size,
    shrunk,
)
from benchmarks.views.cost import camera_photograph, time_ratios
from edge_runtime.inputs.decode import decode
from edge_runtime.support.timing import TimeRatio
from train.dataset import Dataset

NUMBERS = (1, 2, 4, 8)
SHRUNK = (1.0, 1.5, 2.0, 3.0, 6.0)  # shorter sides, in sides of the model's input
SHRUNK_VIEWS = 4


@dataclass(frozen=True)
class Photographs:
    """What a number of views gives on photographs.

    Attributes:
        gain: with the mean that the runtime takes.
        geometric: with the geometric mean.
        accepted: share of the photographs that reach the threshold.
        accepted_right: share of the photographs that reach it and are right.
        outside_accepted: share of the photographs of something else that reach it; None without.
        time: of `classify` on a photograph's file, relative to one view; None for one view.
    """

    gain: Gain
    geometric: Gain
    accepted: float
    accepted_right: float
    outside_accepted: float | None
    time: TimeRatio | None


@dataclass(frozen=True)
class Record:
    """What was measured for a model.

    Attributes:
        model: its name.
        photographs: how many photographs of its classes.
        outside: how many photographs of something else.
        test_images: how many of the data set's test images.
        threshold: accepts 95 % of the held-out images with one view.
        by_views: on photographs, by number of views.
        test: on test images of the model's size, by number of views.
        enlarged: on the same, enlarged eightfold and saved as JPEGs.
        shrunk: four views of photographs whose shorter side is so many times the model's.
        camera_time: of a JPEG of 12 megapixels, relative to one view, by number of views.
        test_time: the same of an array of the model's size.
    """

    model: str
    photographs: int
    outside: int
    test_images: int
    threshold: float
    by_views: dict[int, Photographs]
    test: dict[int, Gain]
    enlarged: dict[int, Gain]
    shrunk: dict[float, Gain]
    camera_time: dict[int, TimeRatio]
    test_time: dict[int, TimeRatio]


def measure_model(
    model: str,
    data: Dataset,
    photographs: list[tuple[Path, int]],
    outside: list[Path],
    *,
    images: int,
    rounds: int,
    say: Callable[[str], None],
) -> Record:
    """Measure one model.

    Args:
        model: model as for `Classifier`.
        data: its classes are the model's.
        photographs: files and class indices.
        outside: files of photographs that show none of the classes.
        images: how many test images.
        rounds: how often each photograph is timed, and ten times as often an array.
        say: called with what is measured next.

    Raises:
        EdgeRuntimeError: the model or an image cannot be used.
    """
    paths = [path for path, _ in photographs]
    labels = np.array([label for _, label in photographs])
    say(f"{model}: held-out images")
    held_out = averaged(model, 1, data.held_out.images).arithmetic
    threshold = default_threshold(held_out, data.held_out.labels, data.class_names)
    say(f"{model}: photographs")
    of_photographs = {views: averaged(model, views, paths) for views in NUMBERS}
    one = of_photographs[1].arithmetic
    times = time_ratios(model, NUMBERS, paths, rounds * len(paths))
    by_views = {}
    for views, scores in of_photographs.items():
        best, right = scores.arithmetic.max(axis=1), scores.arithmetic.argmax(axis=1) == labels
        by_views[views] = Photographs(
            gain=gain(one, scores.arithmetic, labels),
            geometric=gain(of_photographs[1].geometric, scores.geometric, labels),
            accepted=float((best >= threshold).mean()),
            accepted_right=float(((best >= threshold) & right).mean()),
            outside_accepted=_accepted(model, views, outside, threshold),
            time=times.get(views),
        )
    test, test_labels = data.test.images[:images], data.test.labels[:images]
    say(f"{model}: test images")
    of_test = _gains(model, lambda: test, test_labels)
    with TemporaryDirectory() as temporary:
        file = Path(temporary) / "image.jpg"
        of_enlarged = _gains(model, lambda: map(partial(photograph, file), test), test_labels)
        say(f"{model}: shrunk photographs and times")
        return Record(
            model=model,
            photographs=len(paths),
            outside=len(outside),
            test_images=len(test),
            threshold=threshold,
            by_views=by_views,
            test=of_test,
            enlarged=of_enlarged,
            shrunk=_shrunk(model, paths, labels, data),
            camera_time=time_ratios(
                model, NUMBERS, [camera_photograph(paths[0], Path(temporary))], 10 * rounds
            ),
            test_time=time_ratios(model, NUMBERS, list(test[:100]), 100 * rounds),
        )


def _accepted(model: str, views: int, images: list[Path], threshold: float) -> float | None:
    if not images:
        return None
    return float((averaged(model, views, images).arithmetic.max(axis=1) >= threshold).mean())


def _gains(
    model: str, images: Callable[[], Iterable[Any]], labels: NDArray[np.integer]
) -> dict[int, Gain]:
    scores = {views: averaged(model, views, images()).arithmetic for views in NUMBERS}
    return {views: gain(scores[1], several, labels) for views, several in scores.items()}


def _shrunk(
    model: str, paths: list[Path], labels: NDArray[np.integer], data: Dataset
) -> dict[float, Gain]:
    photographs = [decode(path) for path in paths]
    gains = {}
    with open_classifier(model, len(data.class_names)) as classifier:
        side = max(classifier.preprocessing.size)
        for times in SHRUNK:
            small = [shrunk(image, round(times * side)) for image in photographs]
            one, several = (
                np.stack([scores_at_any_size(classifier, image, side, views) for image in small])
                for views in (1, SHRUNK_VIEWS)
            )
            gains[times] = gain(one, several, labels)
    return gains
