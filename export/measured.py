"""What a model card says that was measured on held-out images, or as it was recorded.

`measured.json` keeps what the data set's held-out images said about the shipped models. With it, an
export without the data set makes the same files. `python -m export.record_measured` writes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.acceptance import measure
from export.inputs import ExportInputs

RECORD = Path(__file__).with_name("measured.json")
# Recipes were chosen on CIFAR-10's held-out images. Fewer than so many were compared.
COMPARED = 100
_KEYS = ("acceptance", "second_opinions")


def measured(
    card: Mapping[str, Any], scores: NDArray[np.float32], inputs: ExportInputs
) -> dict[str, Any]:
    """Return what a card says besides how the file was made; nothing if that is not known.

    With the data set this is `acceptance`. `export.second_opinion` measures `second_opinions`.

    Args:
        card: the model card without it.
        scores: of the file on `inputs.held_out`, float32 (N, classes).
        inputs: what the file was made from.
    """
    if not inputs.judges_accuracy:
        return {}
    if inputs.data is None:
        return recorded().get(key(card), {})
    acceptance = measure(
        scores.max(axis=1),
        scores.argmax(axis=1),
        inputs.held_out.labels,
        inputs.class_names,
        measured_on=inputs.judged_on,
        compared=COMPARED,
    )
    return {"acceptance": acceptance}


def recorded() -> dict[str, dict[str, Any]]:
    """Return what was measured on the data set, by the `key` of a card."""
    record: dict[str, dict[str, Any]] = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    return record


def part(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a card that was measured."""
    return {name: card[name] for name in _KEYS if name in card}


def key(card: Mapping[str, Any]) -> str:
    """Return what tells a model from others: a hash of its card, without what was measured."""
    made = {name: value for name, value in card.items() if name not in _KEYS}
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()
