"""Pairs of model files whose first card says when to ask the second."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.inference.acceptance_table import Judged, measure
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.support.files import file_sha256
from edge_runtime.tflite.card import input_and_output
from edge_runtime.tflite.metadata import describe, undescribed, with_card
from tests.conftest import GOLDEN

COLOURS = ("red", "green", "blue")


def golden_pair(folder: Path, **changes: Any) -> tuple[Path, Path]:
    """Write two tiny models, of which the first should ask the second below 0.9.

    Args:
        folder: where to write `first.tflite` and `second.tflite`.
        changes: replace fields of the card's entry.
    """
    first, second = folder / "first.tflite", folder / "second.tflite"
    shutil.copy(GOLDEN / "float32.tflite", second)
    graph = undescribed((GOLDEN / "uint8.tflite").read_bytes())
    card = {
        "network": "brightest",
        "precision": "int8",
        "classes": list(COLOURS),
        "preprocessing": {"fit": "crop", "mean": [0.0] * 3, "std": [255.0] * 3},
        "io": input_and_output(graph),
    }
    first.write_bytes(describe(graph, card))
    add_entry(first, second, **changes)
    return first, second


def add_entry(first: Path, second: Path, **changes: Any) -> None:
    """Write into a file's card when to ask another file, as `export.second_opinion` does."""
    card = dict(read_metadata(first).card)
    entry = {
        "name": second.stem,
        "unsure_below": 0.9,
        "measured_on": "4,000 drawn images",
        "images": 4000,
        "asked": 0.25,
        "acceptance": drawn_acceptance(card["classes"]),
    }
    card["second_opinions"] = {file_sha256(second): entry | changes}
    first.write_bytes(with_card(first.read_bytes(), card))


def drawn_acceptance(classes: list[str]) -> dict[str, Any]:
    """Return the acceptance of scores that are right as often as they say."""
    rng = np.random.default_rng(0)
    best = 1 - 0.4 * rng.random(4000) ** 3  # most images are easy
    found = rng.integers(0, len(classes), 4000)
    labels = np.where(rng.random(4000) < best, found, (found + 1) % len(classes))
    return measure(Judged(best, 1 - best, found, labels, "4,000 drawn images"), classes)
