"""Whether models compute here what they should: the scores of the sample images.

The right scores of shipped models are recorded in the package (`python -m export.record_scores`).
Other models are compared with LiteRT's built-in kernels on this machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import DelegateError
from edge_runtime.inference import shipped
from edge_runtime.inference.engine import Engine
from edge_runtime.inference.model import Model
from edge_runtime.inference.opening import open_engine
from edge_runtime.inference.placement import CPU_DELEGATES, DELEGATES
from edge_runtime.inference.trial import ensure_sound
from edge_runtime.support.files import file_sha256

RECORD = shipped.MODELS / "sample-scores.json"
# Other people's int8 models may be deep, and the samples may be none of their classes.
_FOREIGN_TOLERANCE, _FOREIGN_LABELS = 0.15, 0.9
# Scores of int8 models on Arm's and x86's CPUs differ by up to 2 steps of 1/256, and those of float
# models by less than 1e-4. GPUs may round each layer differently.
_CPU_TOLERANCE = {True: 2.5 / 256, False: 1e-3}
_ACCELERATOR_TOLERANCE = {True: 16.5 / 256, False: 1e-2}
_RECORDED = "recorded"


class Verdict(NamedTuple):
    """Whether a model computes the right scores on a delegate.

    Attributes:
        model: its name.
        delegate: what ran it.
        right: whether it does; None if the delegate is not available here.
        difference: largest difference of any score from the right one; None if nothing was run.
        labels: number of sample images with the right class.
        images: number of sample images.
        compared_with: what the right scores are.
        reason: why nothing was run; otherwise empty.
    """

    model: str
    delegate: str
    right: bool | None
    difference: float | None
    labels: int
    images: int
    compared_with: str
    reason: str

    def __str__(self) -> str:
        subject = f"{self.model} on {self.delegate}"
        if self.right is None:
            return f"{subject}: not available ({self.reason})"
        counted = (
            f"{self.labels} of {self.images} images as {self.compared_with}, "
            f"scores differ by up to {self.difference:.4f}"
        )
        return f"{subject}: {'right' if self.right else 'WRONG'} ({counted})"


def check(models: Sequence[str | Path] = (), delegates: Sequence[str] = ()) -> list[Verdict]:
    """Compare the scores of the sample images with the right ones.

    Args:
        models: names of shipped models or paths; by default all shipped models.
        delegates: by default all that `available_delegates` knows.

    Raises:
        ModelError: there is no such model, or it is not an image classifier.
    """
    names = [str(model) for model in models] or list(shipped.models())
    return [verdict for name in names for verdict in _check(name, delegates or DELEGATES)]


def sample_scores(model: Model, delegate: str) -> tuple[NDArray[np.float32], Engine]:
    """Return the scores of the sample images on a delegate, float32 (N, classes), and its engine.

    Args:
        model: the model, on any delegate.
        delegate: what runs it.

    Raises:
        DelegateError: the delegate is not available, or does not take the model.
    """
    ensure_sound(model.path, delegate)
    engine = open_engine(model.path, delegate=delegate)
    tensors = [model.preprocessing(path) for path in shipped.samples().values()]
    return np.stack([model.scores_of(engine.run(tensor)) for tensor in tensors]), engine


def _check(name: str, delegates: Sequence[str]) -> Iterator[Verdict]:
    with Model(name, delegate="cpu", accept_all=True) as model:
        right, source = _right_scores(model)
        for delegate in delegates:
            try:
                scores, engine = sample_scores(model, delegate)
            except DelegateError as exc:
                reason = str(exc).partition(";")[0].rstrip(".")
                yield Verdict(model.name, delegate, None, None, 0, len(right[0]), source, reason)
                continue
            tolerance = _CPU_TOLERANCE if delegate in CPU_DELEGATES else _ACCELERATOR_TOLERANCE
            limit, least = tolerance[bool(engine.integer)], len(scores)
            if source != _RECORDED:
                limit, least = _FOREIGN_TOLERANCE, round(_FOREIGN_LABELS * len(scores))
            differences = [float(np.abs(scores - expected).max()) for expected in right]
            nearest = right[int(np.argmin(differences))]
            same = int((scores.argmax(axis=1) == nearest.argmax(axis=1)).sum())
            good = min(differences) <= limit and same >= least
            yield Verdict(
                model.name, delegate, good, min(differences), same, len(scores), source, ""
            )


def _right_scores(model: Model) -> tuple[list[NDArray[np.float32]], str]:
    """Return the scores of which one set should come out, and what they are."""
    if shipped.is_shipped(model.path):
        recorded: dict[str, Any] = json.loads(RECORD.read_bytes()).get(model.name, {})
        if recorded.get("sha256") == file_sha256(model.path):
            scores = [np.array(recorded[name], np.float32) for name in CPU_DELEGATES]
            return scores, _RECORDED
    return [sample_scores(model, "cpu")[0]], "on the built-in kernels"
