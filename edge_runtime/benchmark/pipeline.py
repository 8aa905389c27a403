"""Run one setting from image to result, and time each stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_runtime.inference.model import Model
from edge_runtime.inference.opening import open_engine

if TYPE_CHECKING:
    from numpy.typing import NDArray

STAGES = ("decode", "preprocess", "invoke", "postprocess")


class Setting(NamedTuple):
    """A model with the options that it runs with.

    Attributes:
        model: a .tflite file, or the name of a shipped model.
        delegate: the requested delegate.
        threads: number of CPU threads.
        batch: images per call of the model.
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
    """Return every combination of the arguments, model by model."""
    return [
        Setting(model, delegate, n, batch)
        for model, delegate, n, batch in product(models, delegates, threads, batches)
    ]


class Pipeline:
    """A setting whose model is loaded.

    Attributes:
        path: the model file.
        placement: what runs the model.
        reason: why `auto` chose the delegate, like `warnings` from
            `edge_runtime.inference.model.Model`.
        warnings: what the file's metadata says that could not be used.
    """

    def __init__(self, setting: Setting) -> None:
        """Load the model.

        Raises:
            ModelError: the model cannot be used, or does not accept this batch size.
            DelegateError: the delegate is not available, or does not accept the model.
        """
        self._model = Model(setting.model, delegate=setting.delegate, threads=setting.threads)
        self.path = self._model.path
        self.placement = self._model.placement
        self.reason, self.warnings = self._model.reason, self._model.warnings
        self._invoke: Callable[[NDArray[Any]], NDArray[Any]] = self._model.invoke
        if setting.batch > 1:
            self._model.close()  # frees its engine; pre- and post-processing remain usable
            engine = open_engine(
                self.path,
                delegate=self.placement.delegate,
                threads=setting.threads,
                batch=setting.batch,
            )
            self.placement = engine.placement
            self._invoke = engine.run

    def run(self, images: Sequence[Path]) -> tuple[int, int, int, int]:
        """Classify one batch.

        Args:
            images: as many files as the batch of the setting.

        Returns:
            The time of each of `STAGES` in nanoseconds, for all images together.

        Raises:
            ImageError: an image cannot be read.
            ModelError: the model fails.
        """
        model, preprocessing = self._model, self._model.preprocessing
        started = perf_counter_ns()
        opened = [preprocessing.decode(image) for image in images]
        decoded = perf_counter_ns()
        tensors = [preprocessing.tensor(image) for image in opened]
        tensor = tensors[0] if len(tensors) == 1 else np.concatenate(tensors)
        prepared = perf_counter_ns()
        output = self._invoke(tensor)
        invoked = perf_counter_ns()
        for scores in output.reshape(len(images), -1):
            model.predictions(model.scores_of(scores))
        finished = perf_counter_ns()
        return decoded - started, prepared - decoded, invoked - prepared, finished - invoked
