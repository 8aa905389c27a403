"""One model in one setting, from picture to answer, with a clock between the stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_runtime.classifier import Classifier
from edge_runtime.inference.engine import open_engine

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAGES = ("decode", "preprocess", "invoke", "postprocess")


class Setting(NamedTuple):
    """What is measured.

    Attributes:
        model: a .tflite file, or the name of a shipped model.
        delegate: the one that is asked for.
        threads: of the CPU.
        batch: images that the model takes at once.
    """

    model: str
    delegate: str = "xnnpack"
    threads: int = 1
    batch: int = 1


def sweep(
    models: Sequence[str],
    delegates: Sequence[str],
    threads: Sequence[int],
    batches: Sequence[int],
) -> list[Setting]:
    """Return every combination, model by model."""
    return [
        Setting(model, delegate, n, batch)
        for model, delegate, n, batch in product(models, delegates, threads, batches)
    ]


class Pipeline:
    """A setting that is loaded and ready.

    Attributes:
        path: the model file.
        placement: what really runs the model.
    """

    def __init__(self, setting: Setting) -> None:
        """Load the model.

        Raises:
            ModelError: the model cannot be used, or does not take so many images at once.
            DelegateError: the delegate is not available, or does not take the model.
        """
        self._classifier = Classifier(
            setting.model, delegate=setting.delegate, threads=setting.threads
        )
        self.path = self._classifier.path
        self.placement = self._classifier.placement
        self._invoke: Callable[[NDArray[Any]], NDArray[Any]] = self._classifier.invoke
        if setting.batch > 1:
            self._classifier.close()  # its model; what comes before and after it stays
            engine = open_engine(
                self.path,
                delegate=self.placement.delegate,
                threads=setting.threads,
                batch=setting.batch,
            )
            self.placement = engine.placement
            self._invoke = engine.run

    def run(self, pictures: Sequence[Path]) -> tuple[int, int, int, int]:
        """Classify as many pictures as the setting's batch.

        Returns:
            what each of `STAGES` took, nanoseconds, of all pictures together.

        Raises:
            ImageError: a picture cannot be read.
            ModelError: the model fails.
        """
        classifier, preprocessing = self._classifier, self._classifier.preprocessing
        begun = perf_counter_ns()
        opened = [preprocessing.decode(picture) for picture in pictures]
        decoded = perf_counter_ns()
        tensors = [preprocessing.tensor(picture) for picture in opened]
        tensor = tensors[0] if len(tensors) == 1 else np.concatenate(tensors)
        prepared = perf_counter_ns()
        output = self._invoke(tensor)
        invoked = perf_counter_ns()
        for scores in output.reshape(len(pictures), -1):
            classifier.predictions(classifier.scores_of(scores))
        answered = perf_counter_ns()
        return decoded - begun, prepared - decoded, invoked - prepared, answered - invoked
