"""Pairs of model files, of which the second is asked if the first is unsure.

How long a pair takes depends on the image. So a call classifies `PER_CALL` test images, one after
the other and from array to result, and the latency is the mean time of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders import CLASSES, Contender, open_classifier
from benchmarks.results import OURS, Subject
from edge_runtime.errors import ModelError
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.placement import ON_CPU
from edge_runtime.support.files import file_sha256

PER_CALL = 100  # images

Images = Iterator[NDArray[np.uint8]]


class PairRunner:
    """A pair on `edge_runtime`, see `benchmarks.contenders.Runner`."""

    def __init__(
        self, first: Path, second: Path, delegate: str, threads: int, images: Callable[[], Images]
    ) -> None:
        self._classifier = open_classifier(
            first, CLASSES, second_opinion=second, delegate=delegate, threads=threads
        )
        self._images = images
        self._scored = self._asked = 0

    @property
    def asked(self) -> float:
        """Share of the images given to `scores` for which the second model was asked."""
        return self._asked / max(self._scored, 1)

    def ready(self, image: NDArray[np.uint8]) -> Images:
        """Return endless test images, which take the place of `image`."""
        return self._images()

    def run(self, ready: Images) -> None:
        """Classify the next `PER_CALL` images."""
        for image in islice(ready, PER_CALL):
            self._classifier.classify(image)

    def scores(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the scores that decide, float32 (classes,)."""
        second = self._classifier.second
        if second is None:
            raise ValueError("The pair has no second model.")
        opinion = second.ask_first(self._classifier, image)
        self._scored += 1
        self._asked += opinion.unsure is not None
        return second.decide(opinion)


def pairs_of(
    files: Sequence[Path],
    delegates: Sequence[str],
    threads: Sequence[int],
    images: Callable[[], Images],
) -> Iterator[Contender]:
    """Yield each pair of which the first file's card names the second.

    Args:
        files: .tflite files.
        delegates: names of delegates.
        threads: numbers of CPU threads.
        images: returns endless test images, uint8 (32, 32, 3); raises RuntimeError if there are
            none.
    """
    by_digest = {file_sha256(path): path for path in files}
    for digest, first in by_digest.items():
        try:
            card = read_metadata(first).card
        except ModelError:  # the row of the file alone says why
            continue
        for of_second in card.get("second_opinions", {}).keys() & by_digest.keys():
            second = by_digest[of_second]
            other = read_metadata(second).card
            network = f"{card['network']}+{other['network']}"
            precisions = dict.fromkeys((card["precision"], other["precision"]))
            for delegate in delegates:
                for count in threads if delegate in ON_CPU else (1,):
                    yield Contender(
                        Subject(network, "+".join(precisions), OURS, delegate, count),
                        first,
                        first.stat().st_size + second.stat().st_size,
                        f"{digest}+{of_second}",
                        partial(PairRunner, first, second, delegate, count, images),
                        images=PER_CALL,
                    )
