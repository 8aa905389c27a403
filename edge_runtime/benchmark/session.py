"""What a benchmark is to measure, and what it has measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.benchmark.cold_start import ColdStart
from edge_runtime.benchmark.disturbance import Conditions
from edge_runtime.benchmark.images import BenchmarkImages
from edge_runtime.benchmark.pipeline import STAGES, Setting
from edge_runtime.benchmark.sustained import Sustained
from edge_runtime.inference.placement import Placement
from edge_runtime.support.environment import Environment
from edge_runtime.support.timing import Summary, TimeRatio

END_TO_END = "end_to_end"

# If settings alternated call by call, one model's weights would evict another's from the CPU
# caches. That never happens on a device that runs one model. So a turn has several calls, after one
# that does not count.
CALLS_PER_TURN = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        settings: the settings, one row of the tables each.
        images: the images to classify, in this order, repeatedly.
        baseline: the model whose first row the other rows are compared with; None: the first row.
        calls: timed calls per row, rounded up to whole loads of the model; None: as many as fit
            into a few seconds.
        cold_starts: processes to start per row.
        sustained_s: duration of each row's long run in seconds; 0: no long run.
    """

    settings: Sequence[Setting]
    images: BenchmarkImages
    baseline: str | None = None
    calls: int | None = None
    cold_starts: int = 5
    sustained_s: float = 0.0


@dataclass(slots=True)
class Measurement:
    """One setting and everything that was measured for it.

    Attributes:
        setting: what was measured.
        error: why the setting could not be measured to the end; None: it could.
        placement: what ran the model.
        reason: why `auto` chose the delegate; otherwise empty.
        warnings: what the file's metadata says that could not be used.
        model_bytes: size of the model file.
        model_sha256: SHA-256 of the model file.
        acceptance: the default threshold of its card, see
            `edge_runtime.inference.acceptance.default_threshold`; None if it has none.
        times: int64 (calls, stages), nanoseconds per image, columns in the order of `STAGES`.
        stages: percentiles of each stage, and of their sum as `END_TO_END`.
        against: comparison with the baseline by stage: `invoke` and `END_TO_END`. If the batch
            sizes differ, `END_TO_END` is missing, because a turn then has other images in each
            row, and some images take longer to decode.
        cold: the cold starts.
        sustained: the long run.
        too_short: whether the long run had too few calls for a verdict.
    """

    setting: Setting
    error: str | None = None
    placement: Placement | None = None
    reason: str = ""
    warnings: tuple[str, ...] = ()
    model_bytes: int = 0
    model_sha256: str = ""
    acceptance: dict[str, Any] | None = None
    times: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, len(STAGES)), np.int64))
    stages: dict[str, Summary] = field(default_factory=dict)
    against: dict[str, TimeRatio] = field(default_factory=dict)
    cold: list[ColdStart] = field(default_factory=list)
    sustained: Sustained | None = None
    too_short: bool = False

    @property
    def images_per_s(self) -> float:
        """Images classified per second, one batch after the other."""
        return 1e9 / float(self.times.sum(axis=1).mean())


@dataclass(slots=True)
class Session:
    """The results of a benchmark, complete or not.

    Attributes:
        plan: what was to be measured.
        started: when the benchmark began.
        environment: the machine.
        rows: one measurement per setting, in the order of the plan.
        conditions: what else happened on the machine, by pass.
        baseline: the row that the others are compared with; None: nothing was measured.
        calls_per_load: consecutive timed calls of a row between two loads of its model.
        interrupted: whether the user stopped the benchmark early.
    """

    plan: Plan
    started: datetime
    environment: Environment
    rows: list[Measurement]
    conditions: dict[str, Conditions] = field(default_factory=dict)
    baseline: Measurement | None = None
    calls_per_load: int = CALLS_PER_TURN
    interrupted: bool = False
