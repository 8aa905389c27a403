"""Show images to models and return the record that `python -m benchmarks.trust` writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trust.figures import Given, Shown, gains, of_model, promise_kept
from benchmarks.trust.images import Answers, Image, Inside, answers, load_inside, load_outside
from edge_runtime.errors import ModelError, OptionError
from edge_runtime.inference.model import Model
from edge_runtime.support.files import file_sha256
from edge_runtime.support.progress import Progress, terminal
from train.data import load_for
from train.dataset import Dataset

FORMAT = "edge-trust 1"


@dataclass(frozen=True)
class Request:
    """What to measure.

    Attributes:
        models: names or files of the models.
        against: the model that they are compared with, one of `models`; None for none.
        data: what `--data` names.
        inside: folder of photographs of the classes; None for none.
        outside: folders and archives of images of no class.
        all_outside: take all classes of these.
        max_error: the share of wrong results to promise, 0-1.
        say: prints a sentence.
    """

    models: Sequence[str]
    against: str | None
    data: Path | None
    inside: Path | None
    outside: Sequence[Path]
    all_outside: bool
    max_error: float
    say: Callable[[str], None]


def measure(request: Request) -> dict[str, Any]:
    """Return the figures of all models, as JSON types.

    Raises:
        DataError: the data set or the images cannot be read.
        EdgeRuntimeError: a model or an image cannot be used.
    """
    with ExitStack() as stack:
        models = [stack.enter_context(Model(name, accept_all=True)) for name in request.models]
        dataset = load_for(request.data, (max(model.preprocessing.size) for model in models))
        _require_classes(models, dataset)
        held_out = list(dataset.held_out.images)
        shown = Shown(
            Inside("test", list(dataset.test.images), dataset.test.labels.astype(np.intp)),
            None
            if request.inside is None
            else load_inside(request.inside, models[0].labels, request.say),
            tuple(load_outside(path, all_classes=request.all_outside) for path in request.outside),
        )
        given = [_ask(model, held_out, shown) for model in models]
    before = None if request.against is None else request.models.index(request.against)
    rows = []
    for at, (name, model) in enumerate(zip(request.models, models, strict=True)):
        row = {
            "model": name,
            "bytes": model.path.stat().st_size,
            "sha256": file_sha256(model.path),
            **of_model(shown, given[at]),
            "max_error": _promise(model.path, request.max_error, shown.test, given[at].test),
        }
        if before is not None and at != before:
            row["gains"] = {"against": request.against, **gains(shown, given[before], given[at])}
        rows.append(row)
    return {"format": FORMAT, "images": _images(request, len(held_out), shown), "models": rows}


def _require_classes(models: Sequence[Model], dataset: Dataset) -> None:
    """Refuse models that have other classes than the test images, or than each other.

    Raises:
        ModelError: one has other classes.
    """
    for model in models:
        if len(model.labels) != len(dataset.class_names) or model.labels != models[0].labels:
            raise ModelError(
                f"Expected {model.path} to have the {len(dataset.class_names)} classes of the test "
                f"images, as the other models have, but it has {', '.join(model.labels[:10])}; "
                f"name another model."
            )


def _ask(model: Model, held_out: Sequence[Image], shown: Shown) -> Given:
    """Show all images to a model."""
    parts: list[Sequence[Image]] = [
        held_out,
        shown.test.images,
        *(source.images for source in shown.outside),
    ]
    if shown.inside:
        parts.append(shown.inside.images)
    progress = Progress(sum(map(len, parts)), terminal())
    given = [answers(model, images, partial(progress.count, 1, failed=0)) for images in parts]
    progress.clear()
    inside = given.pop() if shown.inside else None
    return Given(given[0], given[1], inside, tuple(given[2:]))


def _promise(path: Path, limit: float, test: Inside, given: Answers) -> dict[str, Any]:
    """Return what `--max-error` does on the test images, or why it cannot be asked for."""
    try:
        with Model(path, max_error=limit) as model:
            acceptance = model.acceptance
    except OptionError as exc:
        return {"reason": str(exc)}
    assert acceptance is not None  # `max_error` asks for one
    return {"promise": acceptance.promise, **promise_kept(test, given, acceptance)}


def _images(request: Request, held_out: int, shown: Shown) -> dict[str, Any]:
    """Return what was shown, as JSON types."""
    inside = shown.inside
    return {
        "held_out": held_out,
        "test": len(shown.test.images),
        "inside": inside and {"name": inside.name, "images": len(inside.images)},
        "outside": [
            {
                "name": source.name,
                "images": len(source.images),
                "classes": int(source.groups.max()) + 1,
                "all_classes": request.all_outside,
            }
            for source in shown.outside
        ],
        "max_error": request.max_error,
    }
