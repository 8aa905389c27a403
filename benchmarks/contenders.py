"""What can be measured: model files on `edge_runtime`'s delegates, ready to be opened.

A contender takes images in one and the same way, whatever runs it, so that the passes know of no
runtime.
"""

from __future__ import annotations

import hashlib
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
from edge_runtime.inference.placement import CPU_DELEGATES

CLASSES = 10


class Runner(Protocol):
    """A network, loaded."""

    def ready(self, image: NDArray[np.uint8]) -> Any:
        """Return what `run` takes for an image, uint8 (H, W, channels), as often as the batch."""

    def run(self, ready: Any) -> Any:
        """Return the raw output of one call: what latency means here."""

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the scores of an image, float32 (classes,)."""


@dataclass(frozen=True)
class Contender:
    """Something to measure.

    Attributes:
        path: its file.
        size_bytes: of all its files.
        sha256: tells its files from others.
        open: loads it; raises EdgeRuntimeError or RuntimeError where that cannot be.
        open_single: the same for one image a call, if `open` is for several.
    """

    subject: Subject
    path: Path
    size_bytes: int
    sha256: str
    open: Callable[[], Runner]
    open_single: Callable[[], Runner] | None = None

    def call(self, image: NDArray[np.uint8]) -> Callable[[], object]:
        """Load it, and return the call that latency means, on an image."""
        runner = self.open()
        return partial(runner.run, runner.ready(image))


@dataclass(frozen=True)
class Missing:
    """Something that cannot be measured, and why not."""

    subject: Subject
    reason: str


def of_classes(model: str | Path, classes: int, **options: Any) -> Classifier:
    """Return a classifier that tells so many classes apart; the options are `Classifier`'s.

    Raises:
        EdgeRuntimeError: it cannot be used.
        ModelError: it tells another number apart.
    """
    classifier = Classifier(model, **options)
    found = len(classifier.labels)
    if found != classes:
        classifier.close()
        raise ModelError(
            f"{model} tells {found} classes apart; expected the {classes} of the test images."
        )
    return classifier


class Ours:
    """A model file on `edge_runtime`."""

    def __init__(self, path: Path, delegate: str, threads: int) -> None:
        self._classifier = of_classes(path, CLASSES, delegate=delegate, threads=threads)

    def ready(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        return self._classifier.preprocessing(image)

    def run(self, ready: NDArray[Any]) -> NDArray[Any]:
        return self._classifier.invoke(ready)

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._classifier.scores(image)


def model_files(models: Sequence[str], exports: Path = Path("exports")) -> list[Path]:
    """Return the files of some models, or else all shipped and exported ones.

    An exported file that equals a shipped one is that one.

    Raises:
        ModelError: there is no such model.
    """
    if models:
        return [shipped.find(model) for model in models]
    found = {file_hash(path): path for path in shipped.models().values()}
    for path in sorted(exports.glob("*.tflite")):
        found.setdefault(file_hash(path), path)
    return list(found.values())


def told_apart(found: Iterable[Contender | Missing]) -> Iterator[Contender | Missing]:
    """Yield what there is, with the path in the name of files that would share another's row."""
    first: dict[Subject, str] = {}
    for one in found:
        if isinstance(one, Contender) and first.setdefault(one.subject, one.sha256) != one.sha256:
            precision = f"{one.subject.precision} ({one.path})"
            one = replace(one, subject=replace(one.subject, precision=precision))
        yield one


def of_files(
    files: Iterable[Path],
    delegates: Sequence[str],
    threads: Sequence[int],
    *,
    network: str = "",
    trained: bool = True,
) -> Iterator[Contender | Missing]:
    """Yield each file on each delegate with each number of threads.

    Args:
        delegates: by name; without any, all that this machine has.
        network: what files are called that do not say it themselves.
        trained: whether their weights are.
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
        size, digest = path.stat().st_size, file_hash(path)
        for delegate in chosen:
            for count in threads if delegate in CPU_DELEGATES else (1,):
                yield Contender(
                    Subject(of_network, of_precision, OURS, delegate, count, 1, trained),
                    path,
                    size,
                    digest,
                    partial(Ours, path, delegate, count),
                )


def file_hash(path: Path) -> str:
    """Return the sha256 of a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
