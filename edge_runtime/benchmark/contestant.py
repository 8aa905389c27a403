"""One setting during a benchmark: its loaded model, its images and its times."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.benchmark.pipeline import STAGES, Pipeline
from edge_runtime.benchmark.session import CALLS_PER_TURN, Measurement
from edge_runtime.benchmark.sustained import sustain
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.acceptance import default_threshold
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.sidecar import recorded
from edge_runtime.support.files import file_sha256


class Contestant:
    """A setting that takes its turns.

    An error ends this contestant alone: it is kept in the measurement, and later turns do nothing.

    Attributes:
        measurement: where results and errors go.
        counts: whether turns count; False during the warm-up.
        load_s: how long the last load took, with its first calls, in seconds.
    """

    def __init__(self, measurement: Measurement, images: Sequence[Path]) -> None:
        """Load the model and run it a few times.

        Args:
            measurement: the setting; its placement and the facts about the file are filled in.
            images: the images to classify, repeatedly.

        Raises:
            EdgeRuntimeError: the model, the delegate or an image cannot be used.
        """
        self.measurement = measurement
        self.counts = False
        self._setting = measurement.setting
        self._batch = self._setting.batch
        self._images = cycle(images)
        self._turns: list[list[tuple[int, ...]]] = []
        self._load()
        if self._setting.delegate == "auto":  # it might choose another delegate at the next load
            self._setting = self._setting._replace(delegate=self._pipeline.placement.delegate)
        measurement.placement = self._pipeline.placement
        measurement.reason, measurement.warnings = self._pipeline.reason, self._pipeline.warnings
        measurement.model_bytes = self._pipeline.path.stat().st_size
        measurement.model_sha256 = file_sha256(self._pipeline.path)
        measurement.acceptance = _acceptance(self._pipeline.path)

    def load_again(self) -> None:
        """Replace the loaded model with a newly loaded one."""
        if self.measurement.error is None:
            del self._pipeline  # frees its memory before the next model is loaded
            try:
                self._load()
            except EdgeRuntimeError as exc:
                self.measurement.error = str(exc)

    def turn(self) -> None:
        """Take a turn: one call that does not count, then `CALLS_PER_TURN` calls."""
        if self.measurement.error is None:
            try:
                turn = [self._run() for _ in range(1 + CALLS_PER_TURN)][1:]
            except EdgeRuntimeError as exc:
                self.measurement.error = str(exc)
            else:
                self._turns += [turn] if self.counts else []

    def times(self) -> NDArray[np.int64]:
        """Return the times of all turns: int64 (calls, stages), nanoseconds per image."""
        times = np.array(self._turns, np.int64).reshape(-1, len(STAGES))
        return times // self._batch

    def sustain(self, seconds: float) -> None:
        """Run for a long time without a pause, and put the result into the measurement.

        Raises:
            KeyboardInterrupt: the user stopped the run.
        """
        measurement = self.measurement
        if measurement.error is not None:
            return
        try:
            measurement.sustained = sustain(lambda: sum(self._run()) // self._batch, seconds)
        except EdgeRuntimeError as exc:
            measurement.error = str(exc)
        measurement.too_short = measurement.error is None and measurement.sustained is None
        if measurement.sustained and not measurement.sustained.complete:
            raise KeyboardInterrupt

    def _load(self) -> None:
        started = perf_counter()
        self._pipeline = Pipeline(self._setting)
        for _ in range(CALLS_PER_TURN):
            self._run()
        self.load_s = perf_counter() - started

    def _run(self) -> tuple[int, ...]:
        return self._pipeline.run([next(self._images) for _ in range(self._batch)])


def _acceptance(path: Path) -> dict[str, Any] | None:
    """Return what the file beside a model or its card says about its default threshold."""
    measured = recorded(path, read_metadata(path).card)[0]
    return default_threshold(measured)
