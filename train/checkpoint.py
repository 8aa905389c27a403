"""The checkpoint of a run: weights, optimizer and counts after its last whole epoch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ResumeError
from train.weights import read, write

FILE = "checkpoint.safetensors"


@dataclass
class State:
    """The state of a run after an epoch, besides its weights."""

    epoch: int = 0  # epochs done
    learning_rate: float = 0.0  # of the plateau schedule
    best_epoch: int = 0
    best_loss: float = math.inf  # held-out
    stalled: int = 0  # epochs since the best one
    stalled_at_this_rate: int = 0  # epochs since the best one or the last cut of the rate
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def save(
    path: Path, model: keras.Model, state: State, best: list[NDArray] | None, identity: str
) -> None:
    """Write the state of a compiled model's training, atomically.

    Args:
        best: the weights of the best epoch so far, if early stopping may need them.
        identity: a JSON object of all that decided the weights; only a run with an equal identity
            may resume from this file.

    Raises:
        CheckpointError: the file cannot be written; the previous one is intact.
    """
    tensors = {f"model.{i}": np.asarray(v.numpy()) for i, v in enumerate(model.variables)}
    tensors |= {
        f"optimizer.{i}": np.asarray(v.numpy()) for i, v in enumerate(model.optimizer.variables)
    }
    tensors |= {f"best.{i}": np.asarray(value) for i, value in enumerate(best or [])}
    write(path, tensors, {"identity": identity, "state": json.dumps(asdict(state))})


def restore(
    path: Path, model: keras.Model, identity: Callable[[int], str]
) -> tuple[State, list[NDArray] | None]:
    """Set the weights and optimizer of a compiled model from a file that `save` wrote.

    Args:
        identity: returns the identity of this run after a number of epochs, see `save`.

    Returns:
        The state of the run, and the weights of its best epoch if they were saved.

    Raises:
        CheckpointError: the file is damaged.
        ResumeError: the file belongs to another run.
    """
    tensors, metadata = read(path)
    state = State(**json.loads(metadata.get("state", "{}")))
    found, wanted = metadata.get("identity", "{}"), identity(state.epoch)
    if found != wanted:
        raise ResumeError(
            f"{path} belongs to a run with other {_differing(found, wanted)}; resume it with the "
            f"same, choose another --out, or start over with --overwrite."
        )
    for i, variable in enumerate(model.variables):
        variable.assign(tensors[f"model.{i}"])
    for i, variable in enumerate(model.optimizer.variables):
        variable.assign(tensors[f"optimizer.{i}"])
    best = [tensors[f"best.{i}"] for i in range(len(model.weights)) if f"best.{i}" in tensors]
    return state, best or None


def _differing(one: str, other: str) -> str:
    """Return the names of the fields in which two identities differ."""
    first, second = (_flat(json.loads(identity)) for identity in (one, other))
    names = sorted(k for k in first | second if first.get(k) != second.get(k))
    return ", ".join(names)


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Replace each nested object by its fields, one level deep."""
    flat: dict[str, Any] = {}
    for key, value in record.items():
        flat |= value if isinstance(value, dict) else {key: value}
    return flat
