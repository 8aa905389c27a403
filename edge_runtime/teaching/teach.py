"""The whole way from photographs in folders to a .tflite file with the user's own classes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.inference.acceptance_table import Judged, measure
from edge_runtime.inference.model import Model
from edge_runtime.inputs.class_folders import (
    TEST,
    TRAIN,
    Photograph,
    Photographs,
    find_photographs,
    find_tests,
    parts_of,
    require_enough,
)
from edge_runtime.inputs.listing import LeftOut
from edge_runtime.support.files import replacing
from edge_runtime.support.outputs import output_file
from edge_runtime.teaching import summary
from edge_runtime.teaching.card import taught_card
from edge_runtime.teaching.embedding import Backbone, Embedded, comparable
from edge_runtime.teaching.graph import SIDES, backbone_file, with_head
from edge_runtime.teaching.head import Head
from edge_runtime.teaching.learning import Learnt, learn
from edge_runtime.teaching.progress import Progress
from edge_runtime.teaching.quantized import QuantizedHead, quantize_head
from edge_runtime.teaching.report import Accuracy, TeachingReport
from edge_runtime.teaching.store import open_store
from edge_runtime.tflite.metadata import describe

DEFAULT_OUT = "taught.tflite"
_CHECKED = 8  # photographs that the written file must classify as the head does


class _Part(NamedTuple):
    """Photographs that could be read, with their features."""

    photographs: tuple[Photograph, ...]
    features: NDArray[np.int8]  # (N, views, features)
    sha256: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.intp]:
        return np.array([photograph.label for photograph in self.photographs], np.intp)


class _Lesson(NamedTuple):
    """A head, and what is known about it.

    Attributes:
        learnt: the head in float, and what cross-validation says about it.
        scores: of the classes, by cross-validation, float32 (N, classes).
        expected: accuracy on new photographs.
        acceptance: for the model card.
        head: in integers.
        found: index of the class that it gives each photograph, (N,). That of a counter-example is
            left to chance, because all classes score nearly 0.
        agreement: share of those of a class to which the head in float gives the same class.
    """

    learnt: Learnt
    scores: NDArray[np.float32]
    expected: Accuracy
    acceptance: dict[str, Any]
    head: QuantizedHead
    found: NDArray[np.intp]
    agreement: float


def teach(
    folder: str | Path,
    out: str | Path = DEFAULT_OUT,
    *,
    test: str | Path | None = None,
    side: int = SIDES[-1],
    threads: int = 1,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> TeachingReport:
    """Teach a model the classes of photographs, and write it.

    The same photographs give the same file.

    Args:
        folder: holds a folder of photographs for each class. The folder `none-of-these` holds
            counter-examples. If there are `train` and `test`, the model learns from the first and
            is judged on the second.
        out: the .tflite file to write.
        test: folder of photographs that only judge the model, or of a `train` and a `test`, of
            which the second does; it replaces the folder's own `test`.
        side: of the model's input in pixels, one of `SIDES`. Smaller is faster and less accurate.
        threads: photographs that are read at once.
        overwrite: replace `out` if it exists.
        progress: is told what is done.

    Raises:
        TeachingError: the photographs do not make up at least two classes.
        OutputError: `out` may not be written.
        ValueError: `side` or `threads` has none of the values above.
        OSError: the file cannot be written.
    """
    if side not in SIDES:
        raise ValueError(f"Expected `side` to be one of {SIDES}, but got {side}.")
    if threads < 1:
        raise ValueError(f"Expected `threads` to be at least 1, but got {threads}.")
    started = time.monotonic()
    progress = progress or Progress()
    file = output_file(out, overwrite=overwrite, trial=True)
    learnt_from, tested_on, others = parts_of(Path(folder))
    if test is not None:
        tested_on = parts_of(Path(test)).test or Path(test)
    left_out = LeftOut()
    found = find_photographs(learnt_from, left_out)
    tests = Photographs(found.classes, (), ())
    if tested_on is not None:
        tests = find_tests(tested_on, found.classes, left_out)
    photographs = (*found.photographs, *tests.photographs)
    output_file(out, inputs=[p.path for p in photographs], overwrite=True)

    progress.start(len(photographs))
    with backbone_file(side) as path, open_store(path) as store:
        backbone = Backbone(path, store)
        embedded = backbone.embed(
            [photograph.path for photograph in photographs],
            threads=threads,
            done=lambda result: progress.read(failed=result.error is not None),
        )
        part = _readable(found.photographs, embedded[: len(found.photographs)])
        require_enough(found._replace(photographs=part.photographs), learnt_from)
        lesson = _learn(backbone, part, found.classes, progress.stage)
        progress.stage("writing")
        graph = with_head(path.read_bytes(), lesson.head)
        card = taught_card(
            graph,
            backbone.metadata.card,
            classes=found.classes,
            labels=part.labels,
            sha256=part.sha256,
            learnt=lesson.learnt,
            expected=lesson.expected,
            acceptance=lesson.acceptance,
        )
    with replacing(file, overwrite=overwrite) as temporary:
        temporary.write_bytes(describe(graph, card))
        _ensure_right(temporary, part, lesson.found)
    test_part = _readable(tests.photographs, embedded[len(found.photographs) :])
    own, best = part.labels >= 0, lesson.scores.max(axis=1)
    accepted = best >= lesson.acceptance["threshold"]
    cross_validated = lesson.scores[own].argmax(axis=1)
    failed = (str(result.error) for result in embedded if result.error is not None)
    return TeachingReport(
        path=Path(out),
        size=file.stat().st_size,
        side=side,
        classes={name: int((part.labels == at).sum()) for at, name in enumerate(found.classes)},
        counter_examples=int((~own).sum()),
        expected=lesson.expected,
        threshold=lesson.acceptance["threshold"],
        accepted=float(accepted[own].mean()),
        counter_examples_accepted=None if own.all() else float(accepted[~own].mean()),
        confusions=summary.confusions(cross_validated, part.labels[own], found.classes),
        mislabelled=summary.mislabelled(lesson.learnt, part.photographs, found.classes),
        near_doubles=summary.near_doubles(lesson.learnt, part.photographs),
        curve=summary.curve(lesson.learnt, part.labels, lesson.expected.top1),
        **_judged(lesson, backbone, part, test_part, found.classes),
        unreadable=(*found.unreadable, *tests.unreadable, *failed),
        left_out=_left_out(left_out, others),
        agreement=lesson.agreement,
        seconds=time.monotonic() - started,
    )


def _learn(
    backbone: Backbone, part: _Part, classes: Sequence[str], stage: Callable[[str], None]
) -> _Lesson:
    """Fit a head to photographs and quantize it."""
    quantization = backbone.quantization
    features, factor = comparable(part.features, backbone.blocks, quantization)
    learnt = learn(features, part.labels, len(classes), stage)
    scores = learnt.validation.scores[:, : len(classes)]
    # The graph's features are not brought to one size, so the weights are.
    head = Head(learnt.head.weights * factor[:, np.newaxis], learnt.head.bias)
    plain = quantization.dequantize(part.features[:, 0])
    quantized = quantize_head(head, quantization, plain)
    found = quantized.best(part.features[:, 0], quantization, len(classes))
    in_float = head.logits(plain)[:, : len(classes)].argmax(axis=1)
    own = part.labels >= 0
    return _Lesson(
        learnt=learnt,
        scores=scores,
        expected=summary.expected(learnt, scores, part.labels),
        acceptance=measure(
            Judged.of(
                scores[own],
                part.labels[own],
                f"{int(own.sum()):,} photographs, by cross-validation",
            ),
            classes,
        ),
        head=quantized,
        found=found,
        agreement=float((in_float == found)[own].mean()),
    )


def _judged(
    lesson: _Lesson, backbone: Backbone, part: _Part, test: _Part, classes: tuple[str, ...]
) -> dict[str, Any]:
    """Return the fields of a report about the test photographs.

    Photographs that the model learnt from do not judge it.
    """
    learnt = {*part.sha256}
    own = test.labels >= 0
    new = own & np.array([sha256 not in learnt for sha256 in test.sha256], bool)
    left_out = summary.test_left_out(int(own.sum() - new.sum()), int(own.sum()))
    if not new.any():
        return {"tested": None, "test_confusions": (), "test_left_out": left_out}
    best = lesson.head.best(test.features[new, 0], backbone.quantization, len(classes))
    return {
        "tested": summary.tested(best, test.labels[new]),
        "test_confusions": summary.confusions(best, test.labels[new], classes),
        "test_left_out": left_out,
    }


def _readable(photographs: Sequence[Photograph], embedded: Sequence[Embedded]) -> _Part:
    """Return the photographs that could be read, in an order that their names do not change."""
    pairs = [
        (photograph, result)
        for photograph, result in zip(photographs, embedded, strict=True)
        if result.features is not None
    ]
    pairs.sort(key=lambda pair: (pair[0].label, pair[1].sha256))
    return _Part(
        tuple(photograph for photograph, _ in pairs),
        np.array([result.features for _, result in pairs], np.int8),
        tuple(result.sha256 for _, result in pairs),
    )


def _left_out(left_out: LeftOut, folders: Sequence[str]) -> str:
    parts = []
    if files := left_out.files:
        heic = f" ({left_out.heic:,} of them HEIC: save them as JPEG)" if left_out.heic else ""
        parts.append(
            f"{files:,} file{'s' if files > 1 else ''} without an image's suffix or beside the "
            f"folders of the classes{heic}"
        )
    if folders:
        parts.append(f"what lies beside the folders {TRAIN} and {TEST} ({', '.join(folders)})")
    return f"left out {' and '.join(parts)}." if parts else ""


def _ensure_right(path: Path, part: _Part, expected: NDArray[np.intp]) -> None:
    """Classify a few photographs of the classes with the file, as the runtime does.

    Raises:
        ModelError: it gives other classes than the head.
    """
    own = np.flatnonzero(part.labels >= 0)
    chosen = own[np.unique(np.linspace(0, len(own) - 1, _CHECKED).round().astype(int))]
    right = 0
    with Model(path, accept_all=True) as model:
        for i in chosen:
            scores = model.scores(part.photographs[i].path)
            right += scores[expected[i]] >= model.predictions(scores)[0].score  # rounding may tie
    if right < len(chosen) - 1:
        raise ModelError(
            f"The taught model gives {len(chosen) - right} of {len(chosen)} photographs another "
            f"class than it was taught with on this device, so it was not written; report this."
        )
