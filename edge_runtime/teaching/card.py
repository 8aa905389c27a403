"""The model card of a taught model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.results import NONE_OF_THESE
from edge_runtime.support.files import file_sha256
from edge_runtime.teaching.graph import BACKBONE
from edge_runtime.teaching.learning import Learnt
from edge_runtime.teaching.report import Accuracy
from edge_runtime.teaching.views import VIEWS
from edge_runtime.tflite.card import SCHEMA_VERSION, input_and_output

_MOST_HASHES = 10_000  # photographs whose hashes the card lists; otherwise it has one of them all
_DIGITS = 16  # of each hash


def taught_card(
    graph: bytes,
    backbone: Mapping[str, Any],
    *,
    classes: Sequence[str],
    labels: NDArray[np.intp],
    sha256: Sequence[str],
    learnt: Learnt,
    expected: Accuracy,
    acceptance: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the model card of a taught model.

    It depends on the photographs alone: not on time, place, user or their files' names.

    Args:
        graph: the .tflite file without a card.
        backbone: card of the feature extractor.
        classes: names in the order of the scores.
        labels: class indices of the photographs, (N,); -1 marks counter-examples.
        sha256: of the content of each photograph.
        learnt: what was learnt from them.
        expected: the accuracy to expect.
        acceptance: from `edge_runtime.inference.acceptance_table.measure`.
    """
    choice = learnt.validation.choice
    hashes = sorted(sha256)
    taught: dict[str, Any] = {
        "photographs": {name: int((labels == at).sum()) for at, name in enumerate(classes)},
        "counter_examples": int((labels < 0).sum()),
        "sha256": hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
        "views": [VIEWS[view] for view in choice.views],
        "strength": choice.strength,
        "temperature": round(choice.temperature, 4),
        "expected_top1": round(expected.top1, 4),
        "expected_interval": [round(expected.low, 4), round(expected.high, 4)],
    }
    if len(hashes) <= _MOST_HASHES:
        taught["photographs_sha256"] = [digits[:_DIGITS] for digits in hashes]
    return {
        "schema_version": SCHEMA_VERSION,
        "network": f"{backbone['network']}-taught",
        "precision": backbone["precision"],
        "classes": [*classes, NONE_OF_THESE] if (labels < 0).any() else list(classes),
        "parameters": backbone["parameters"] + learnt.head.weights.size + learnt.head.bias.size,
        "preprocessing": backbone["preprocessing"],
        "io": input_and_output(graph),
        "taught": taught,
        "acceptance": dict(acceptance),
        "backbone_sha256": file_sha256(BACKBONE),
        "weights": backbone.get("weights"),
    }
