"""What can be measured: a model file on a runtime, ready to be opened.

Every contender takes images in the same way, so that the passes need not know its runtime. The
contenders of this file run on `edge_runtime`; `benchmarks.peers` has those of other runtimes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.results import OURS, Subject
from edge_runtime import Classifier
from edge_runtime.errors import ModelError
from edge_runtime.inference import shipped
from edge_runtime.inference.delegates import available_delegates
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.placement import ON_CPU
from edge_runtime.support.files import file_sha256

CLASSES = 10


class Runner(Protocol):
    """A loaded model file."""

    def ready(self, image: NDArray[np.uint8]) -> Any:
        """Return the input of `run`: a batch that repeats an image, uint8 (H, W, channels)."""

    def run(self, ready: Any) -> Any:
        """Return the raw output for a batch; the latency is the time of this call."""

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the scores of an image, uint8 (H, W, channels), as float32 (classes,)."""


@dataclass(frozen=True)
class Contender:
    """A subject that can be measured.

    Attributes:
        subject: the row that it is measured for.
        path: its model file.
        size_bytes: total size of its files.
        sha256: SHA-256 that identifies its files.
        open: loads the file; raises EdgeRuntimeError or RuntimeError if that fails.
        open_single: loads the file for one image per call; None: `open` does.
        images: images that a call of `Runner.run` classifies one after the other; more than 1 only
            for `benchmarks.pairs`.
    """

    subject: Subject
    path: Path
    size_bytes: int
    sha256: str
    open: Callable[[], Runner]
    open_single: Callable[[], Runner] | None = None
    images: int = 1

    def call(self, image: NDArray[np.uint8]) -> Callable[[], object]:
        """Load the file, and return the call to time, on an image, uint8 (H, W, channels)."""
        runner = self.open()
        return partial(runner.run, runner.ready(image))


@dataclass(frozen=True)
class Missing:
    """A subject that cannot be measured, and the reason."""

    subject: Subject
    reason: str


def open_classifier(model: str | Path, classes: int, **options: Any) -> Classifier:
    """Return a classifier after a check of its number of classes.

    Args:
        model: model as for `Classifier`.
        classes: expected number of classes.
        options: options of `Classifier`.

    Raises:
        EdgeRuntimeError: the model cannot be used.
        ModelError: the model has another number of classes.
    """
    classifier = Classifier(model, **options)
    found = len(classifier.labels)
    if found != classes:
        classifier.close()
        raise ModelError(
            f"Expected {model} to have the {classes} classes of the test images, but it has "
            f"{found}; name another model."
        )
    return classifier


def image_side(model: str | Path) -> int:
    """Return the longer side of a model's images, in pixels.

    Args:
        model: model as for `Classifier`.

    Raises:
        EdgeRuntimeError: the model cannot be used.
    """
    with Classifier(model, accept_all=True) as classifier:
        return max(classifier.preprocessing.size)


class EdgeRunner:
    """A model file on `edge_runtime`, see `Runner`."""

    def __init__(self, path: Path, delegate: str, threads: int) -> None:
        self._classifier = open_classifier(path, CLASSES, delegate=delegate, threads=threads)

    def ready(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        return self._classifier.preprocessing(image)

    def run(self, ready: NDArray[Any]) -> NDArray[Any]:
        return self._classifier.invoke(ready)

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._classifier.scores(image)


def model_files(models: Sequence[str], exports: Path = Path("exports")) -> list[Path]:
    """Return the files of the named models; without names, all shipped and exported files.

    Exported files that are equal to a shipped file are left out.

    Args:
        models: names of shipped models, or .tflite files.
        exports: the folder of the exported files.

    Raises:
        ModelError: there is no such model.
    """
    if models:
        return [shipped.find(model) for model in models]
    found = {file_sha256(path): path for path in shipped.models().values()}
    for path in sorted(exports.glob("*.tflite")):
        found.setdefault(file_sha256(path), path)
    return list(found.values())


def with_unique_names(found: Iterable[Contender | Missing]) -> Iterator[Contender | Missing]:
    """Yield all of them; if two files would share a row, add the path of the second to its name."""
    first: dict[Subject, str] = {}
    for one in found:
        if isinstance(one, Contender) and first.setdefault(one.subject, one.sha256) != one.sha256:
            precision = f"{one.subject.precision} ({one.path})"
            one = replace(one, subject=replace(one.subject, precision=precision))
        yield one


def contenders_of(
    files: Iterable[Path],
    delegates: Sequence[str],
    threads: Sequence[int],
    *,
    network: str = "",
    trained: bool = True,
) -> Iterator[Contender | Missing]:
    """Yield each file on each delegate with each number of threads.

    Args:
        files: .tflite files.
        delegates: names of delegates; empty: all that this machine has.
        threads: numbers of CPU threads.
        network: name of the network for files without a model card.
        trained: whether the weights are trained.
    """
    chosen = list(delegates)
    if not chosen:
        for availability in available_delegates():
            if availability.available:
                chosen.append(availability.delegate)
            else:
                anything = Subject("any", "any", OURS, availability.delegate)
                yield Missing(anything, availability.reason)
    for path in files:
        try:
            card = read_metadata(path).card
        except ModelError as exc:
            yield Missing(Subject(path.stem, "unknown", OURS), str(exc))
            continue
        name, _, precision = path.stem.partition("-") if network else (path.stem, "", "as it is")
        of_network, of_precision = card.get("network", name), card.get("precision", precision)
        size, digest = path.stat().st_size, file_sha256(path)
        for delegate in chosen:
            for count in threads if delegate in ON_CPU else (1,):
                yield Contender(
                    Subject(of_network, of_precision, OURS, delegate, count, 1, trained),
                    path,
                    size,
                    digest,
                    partial(EdgeRunner, path, delegate, count),
                )
