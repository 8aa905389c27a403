"""What a model card says that was measured on images nobody trained on, or as it was recorded.

The held-out images decide the default threshold. How often answers of each lead are wrong comes
from the test images, which there are four times as many of and which hardly chose anything.

`measured.json` keeps what was measured of the shipped models. With it, an export without the data
set makes the same files. `python -m export.record_measured` writes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.acceptance_table import Judged, measure
from export.inputs import ExportInputs
from export.verify import file_scores
from train.dataset import Dataset, Split

RECORD = Path(__file__).with_name("measured.json")
# Recipes were chosen on CIFAR-10's held-out images. Fewer than so many were compared.
_COMPARED = 100
# Networks were trained on after a look at the test images, each fewer than ten times. The rest is
# for the lead: the held-out images chose it, but it had been seen on the test images before.
_LOOKS = 20
_KEYS = ("acceptance", "second_opinions")


def measured(
    card: Mapping[str, Any], file: Path, scores: NDArray[np.float32], inputs: ExportInputs
) -> dict[str, Any]:
    """Return what a card says besides how the file was made; nothing if that is not known.

    With the data set this is `acceptance`. `export.second_opinion` measures `second_opinions`.

    Args:
        card: the model card without it.
        file: the .tflite file.
        scores: of the file on `inputs.held_out`, float32 (N, classes).
        inputs: what the file was made from.
    """
    if not inputs.judges_accuracy:
        return {}
    if inputs.data is None:
        return recorded().get(key(card), {})
    return {
        "acceptance": acceptance(scores, file_scores(file, inputs.data.test.images), inputs.data)
    }


def acceptance(
    held_out: NDArray[np.float32], test: NDArray[np.float32], data: Dataset
) -> dict[str, Any]:
    """Return what a card says about acceptance.

    Args:
        held_out: scores of the held-out images, float32 (N, classes).
        test: scores of the test images, float32 (M, classes).
        data: the data set.
    """
    return measure(
        _judged(held_out, data.held_out, "held-out images", _COMPARED),
        data.class_names,
        bounds=_judged(test, data.test, "test images", _LOOKS),
    )


def _judged(scores: NDArray[np.float32], part: Split, name: str, compared: int) -> Judged:
    return Judged.of(scores, part.labels, f"{len(part):,} {name}", compared)


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
