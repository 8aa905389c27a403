"""How good a model is on images of which the classes are known: FOLDER/CLASS/*."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.errors import TeachingError
from edge_runtime.inference.acceptance import Bounded, bounded, two_scores
from edge_runtime.inference.acceptance_table import Judged, measure
from edge_runtime.inference.model import Model
from edge_runtime.inference.options import chosen
from edge_runtime.inputs.class_folders import COUNTER_EXAMPLES, find_tests
from edge_runtime.inputs.listing import LeftOut
from edge_runtime.inputs.names import Source
from edge_runtime.jobs.files import classify_files
from edge_runtime.support.labels import first_of_same_name
from edge_runtime.support.metrics import most_confused, wilson_interval

_MOST_CONFUSIONS = 10  # in the text; JSON has all
_STEP = 0.02  # of the share accepted, between the leads in the text


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How good a model is on some images.

    Attributes:
        model: its name.
        images: number of images of its classes.
        right: how many of them it classifies correctly.
        classes: numbers of images and of those classified correctly, by the class's name.
        confusions: class, class it is taken for, number of images; most frequent first.
        accepted: number of images of its classes whose best class counts.
        accepted_right: how many of these are classified correctly.
        counter_examples: number of images of none of its classes.
        counter_examples_accepted: how many of these are accepted.
        acceptance: what a model card would say, see `edge_runtime.inference.acceptance`.
        failed: a sentence for each image or folder that failed.
        left_out: a sentence about other files in the folders; empty if there are none.
    """

    model: str
    images: int
    right: int
    classes: dict[str, tuple[int, int]]
    confusions: tuple[tuple[str, str, int], ...]
    accepted: int
    accepted_right: int
    counter_examples: int
    counter_examples_accepted: int
    acceptance: dict[str, Any]
    failed: tuple[str, ...]
    left_out: str

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, fractions."""
        return wilson_interval(self.right / self.images, self.images)

    def promises(self) -> list[Bounded]:
        """Return how many images leads accept besides the threshold, with bounds of the error."""
        return bounded(self.acceptance["leads"])[1:]

    def record(self) -> dict[str, Any]:
        """Return the judgement as JSON types."""
        low, high = self.interval
        return {
            "model": self.model,
            "images": self.images,
            "right": self.right,
            "top1": self.right / self.images,
            "interval": [low, high],
            "classes": {
                name: {"images": images, "right": right}
                for name, (images, right) in self.classes.items()
            },
            "confusions": [
                {"label": label, "taken_for": other, "images": count}
                for label, other, count in self.confusions
            ],
            "accepted": self.accepted,
            "accepted_right": self.accepted_right,
            "counter_examples": self.counter_examples,
            "counter_examples_accepted": self.counter_examples_accepted,
            "acceptance": self.acceptance,
            "promises": [row._asdict() for row in self.promises()],
            "failed": list(self.failed),
            "left_out": self.left_out,
        }

    def text(self) -> str:
        """Return the judgement as lines for a person."""
        low, high = self.interval
        lines = [
            f"{self.model} classifies {self.right:,} of {self.images:,} images correctly: "
            f"{self.right / self.images:.1%} (95 % interval {low:.1%} to {high:.1%})"
        ]
        width = max(map(len, self.classes))
        for name, (images, right) in self.classes.items():
            lines.append(f"  {name:<{width}} {right:>6,} of {images:,}")
        lines.append(
            f"Accepted: {self.accepted:,} of {self.images:,}, of which {self.accepted_right:,} are "
            f"right."
        )
        if self.counter_examples:
            lines.append(
                f"Of {self.counter_examples:,} in {COUNTER_EXAMPLES}, "
                f"{self.counter_examples_accepted:,} are accepted."
            )
        if self.confusions:
            lines += ["", "Most confused:"]
            shown = self.confusions[:_MOST_CONFUSIONS]
            lines += [f"  {label} taken for {other}: {count}" for label, other, count in shown]
        threshold = self.acceptance["threshold"]
        lines += ["", f"Scores from {threshold:.3f}, by how many times the second best they are:"]
        lines.append(f"{'times':>7} {'accepted':>9} {'wrong':>7} {'95 % bound':>11}")
        before = math.inf
        for row in self.promises():
            share = row.accepted / self.images
            if row.accepted and before - share >= _STEP:
                before = share
                lines.append(f"{row.lead:>7.1f} {share:>9.1%} {row.wrong:>7,} {row.bound:>11.2%}")
        return "\n".join(lines)


def judge(model: Model, folder: Path) -> Judgement:
    """Classify the images of a folder and compare with the folders' names.

    Classes of the same name are one class.

    Args:
        model: whose classes name the folders; a class may have no folder.
        folder: holds a folder for each class, and `none-of-these` for counter-examples.

    Raises:
        TeachingError: there are no such folders or images, or all images of the classes failed.
    """
    left_out = LeftOut()
    found = find_tests(folder, model.labels, left_out)
    sources = [Source(photograph.path) for photograph in found.photographs]
    failed = list(found.unreadable)
    labels, scores, guessed, accepted = [], [], [], []
    first = first_of_same_name(model.labels)
    errors = []  # of images of the classes: path, sentence
    results = classify_files(model, sources, top_k=2)
    for photograph, (_, result) in zip(found.photographs, results, strict=True):
        if result.error is not None:
            failed.append(str(result.error))
            if photograph.label >= 0:
                errors.append((photograph.path, failed[-1]))
            continue
        labels.append(photograph.label)
        scores.append(two_scores(result.predictions))
        guessed.append(first[result[0].index])
        accepted.append(result.accepted)
    truth, answer, counts = np.array(labels), np.array(guessed), np.array(accepted, bool)
    own = truth >= 0
    if not own.any():
        raise TeachingError(_all_failed(folder, errors))
    right = own & (truth == answer)
    best, second = np.array(scores)[own].T
    acceptance = measure(
        Judged(
            best,
            second,
            answer[own],
            truth[own],
            f"{int(own.sum()):,} images that --judge was given",
        ),
        model.labels,
        views=model.views,
    )
    if options := chosen(model.options):
        acceptance["options"] = options
    if "leads_of" in acceptance and model.labels != model.metadata.labels:
        acceptance["labels"] = list(model.labels)
    return Judgement(
        model=model.name if model.second is None else model.second.name,
        images=int(own.sum()),
        right=int(right.sum()),
        classes={
            name: (int((truth == at).sum()), int((right & (truth == at)).sum()))
            for at, name in enumerate(model.labels)
            if (truth == at).any()
        },
        confusions=tuple(
            (model.labels[a], model.labels[b], n)
            for a, b, n in most_confused(answer[own], truth[own])
        ),
        accepted=int((own & counts).sum()),
        accepted_right=int((right & counts).sum()),
        counter_examples=int((~own).sum()),
        counter_examples_accepted=int((~own & counts).sum()),
        acceptance=acceptance,
        failed=tuple(failed),
        left_out=str(left_out) if left_out.files else "",
    )


def _all_failed(folder: Path, errors: list[tuple[str, str]]) -> str:
    """Return a sentence about images that all failed.

    It has the most frequent error: if the model is broken, that is not the error of a single file.

    Args:
        folder: that was judged on.
        errors: path and sentence of each image.
    """
    [(sentence, count)] = Counter(sentence for _, sentence in errors).most_common(1)
    path = next(path for path, error in errors if error == sentence)
    return (
        f"None of the {len(errors):,} images in {folder} can be classified; {count:,} of them "
        f"failed like {path}: {sentence}"
    )
