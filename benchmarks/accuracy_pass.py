"""The accuracy pass: every contender on all test images, compared with float32 of its network."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.contenders import Contender, Runner
from benchmarks.pairs import PairRunner
from benchmarks.results import OURS, Results, Row, Subject
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.support.metrics import (
    confusion_matrix,
    per_class_accuracy,
    top1,
    wilson_interval,
)
from export import verify
from train.dataset import Split

SHOWN = 24  # number of flipped images per row that the report shows


def run(
    contenders: Sequence[Contender],
    results: Results,
    test: Split,
    classes: Sequence[str],
    *,
    say: Callable[[str], None] = print,
) -> None:
    """Evaluate every contender, and put its figures or the reason for their absence into `results`.

    Threads and batch do not change predictions, so rows that differ only in these share one
    evaluation. After Ctrl-C the rows that were evaluated keep their figures.

    Args:
        contenders: the contenders to evaluate.
        results: the results to add to.
        test: the test images with their labels.
        classes: class names in the order of the scores.
        say: prints a line of progress.
    """
    results.classes = list(classes)
    base_scores: dict[str, NDArray[np.float32]] = {}
    judged: dict[Subject, Row] = {}
    for contender in sorted(contenders, key=lambda c: not is_base(c.subject)):
        subject = contender.subject
        row = results.row(subject, size_bytes=contender.size_bytes, sha256=contender.sha256)
        if not subject.trained:
            row.reasons["accuracy"] = "its weights are random"
            continue
        key = replace(subject, threads=1, batch=1)
        if key not in judged:
            judged[key] = row
            say(f"accuracy: {key.name}")
            try:
                runner = (contender.open_single or contender.open)()
                scores = all_scores(runner, test.images)
            except (EdgeRuntimeError, RuntimeError, ValueError) as exc:
                row.accuracy, row.reasons["accuracy"] = None, str(exc)
                continue
            if is_base(subject):
                base_scores.setdefault(subject.network, scores)
            base = base_scores.get(subject.network)
            row.accuracy = figures(scores, test.labels, base)
            if isinstance(runner, PairRunner):
                row.accuracy["asked"] = runner.asked
            for index, *_ in row.accuracy["flipped"][:SHOWN]:
                results.thumbnails[str(index)] = _data_uri(test.images[index])
        row.accuracy = judged[key].accuracy
        if row.accuracy is None:
            row.reasons["accuracy"] = judged[key].reasons["accuracy"]
        else:
            row.reasons.pop("accuracy", None)


def is_base(subject: Subject) -> bool:
    """Say whether other rows of the network are compared with this one."""
    return (subject.runtime, subject.precision, subject.delegate) == (OURS, "float32", "xnnpack")


def figures(
    scores: NDArray[np.float32], labels: NDArray[np.integer], base: NDArray[np.float32] | None
) -> dict[str, Any]:
    """Return the accuracy figures of some scores as JSON types; accuracies are fractions.

    Args:
        scores: float32 (N, classes).
        labels: integer (N,), true class indices.
        base: the scores of the network's float32 file, float32 (N, classes); None: that file was
            not evaluated, and the figures that compare with it are missing.

    Returns:
        Always images, top1, top1_low, top1_high, per_class, confusion (rows are true classes) and
        flipped. With a base also drop, drop_low, drop_high, lost, gained, p_value, agreement,
        per_class_drop and confusion_difference. `flipped` lists for each image whose class
        changed: index, true class, class of the base, class of these scores.
    """
    classes = scores.shape[1]
    confusion = confusion_matrix(scores.argmax(axis=1), labels, classes)
    accuracy = top1(scores, labels)
    low, high = wilson_interval(accuracy, len(labels))
    found: dict[str, Any] = {
        "images": len(labels),
        "top1": accuracy,
        "top1_low": low,
        "top1_high": high,
        "per_class": per_class_accuracy(confusion).tolist(),
        "confusion": confusion.tolist(),
        "flipped": [],
    }
    if base is None:
        return found
    comparison = verify.compare(base, scores, labels)
    of_base = confusion_matrix(base.argmax(axis=1), labels, classes)
    flipped = np.flatnonzero(base.argmax(axis=1) != scores.argmax(axis=1))
    drop_low, drop_high = comparison.drop_interval
    return found | {
        "drop": comparison.top1_drop,
        "drop_low": drop_low,
        "drop_high": drop_high,
        "lost": comparison.lost,
        "gained": comparison.gained,
        "p_value": comparison.p_value,
        "agreement": comparison.agreement,
        "per_class_drop": (per_class_accuracy(of_base) - per_class_accuracy(confusion)).tolist(),
        "confusion_difference": (confusion - of_base).tolist(),
        "flipped": [
            [int(i), int(labels[i]), int(base[i].argmax()), int(scores[i].argmax())]
            for i in flipped
        ],
    }


def all_scores(runner: Runner, images: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return the scores of images, uint8 (H, W, 3), as float32 (N, classes)."""
    return np.stack([runner.scores(image) for image in images])


def _data_uri(image: NDArray[np.uint8]) -> str:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
