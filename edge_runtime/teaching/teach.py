"""The whole way from photographs in folders to a .tflite file with the user's own classes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ModelError
from edge_runtime.inference.acceptance import measure
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
from edge_runtime.teaching.learning import learn
from edge_runtime.teaching.progress import Progress
from edge_runtime.teaching.quantized import quantize_head
from edge_runtime.teaching.report import Accuracy, Confusion, TeachingReport
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
        test: folder of photographs that only judge the model; it replaces the folder's own `test`.
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
        tested_on = parts_of(Path(test)).train
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
        features, factor = comparable(part.features, backbone.blocks, backbone.quantization)
        learnt = learn(features, part.labels, len(found.classes), progress.stage)
        scores = learnt.validation.scores[:, : len(found.classes)]
        expected = summary.expected(learnt, scores, part.labels)
        head = Head(learnt.head.weights * factor[:, np.newaxis], learnt.head.bias)
        samples = backbone.quantization.dequantize(part.features[:, 0])
        quantized = quantize_head(head, backbone.quantization, samples)
        found_int8 = quantized.best(part.features[:, 0], backbone.quantization, len(found.classes))
        found_float = head.logits(samples)[:, : len(found.classes)].argmax(axis=1)
        own = part.labels >= 0
        best_scores = scores.max(axis=1)
        accepting = measure(
            best_scores[own],
            scores[own].argmax(axis=1),
            part.labels[own],
            found.classes,
            measured_on="the photographs, by cross-validation",
        )
        progress.stage("writing")
        graph = with_head(path.read_bytes(), quantized)
        card = taught_card(
            graph,
            backbone.metadata.card,
            classes=found.classes,
            labels=part.labels,
            sha256=part.sha256,
            learnt=learnt,
            expected=expected,
            acceptance=accepting,
        )
    with replacing(file, overwrite=overwrite) as temporary:
        temporary.write_bytes(describe(graph, card))
        _ensure_right(temporary, part, found_int8)
    tested: Accuracy | None = None
    test_confusions: tuple[Confusion, ...] = ()
    test_part = _readable(tests.photographs, embedded[len(found.photographs) :])
    if (judging := test_part.labels >= 0).any():
        best = quantized.best(
            test_part.features[judging, 0], backbone.quantization, len(found.classes)
        )
        tested = summary.tested(best, test_part.labels[judging])
        test_confusions = summary.confusions(best, test_part.labels[judging], found.classes)
    unreadable = (*found.unreadable, *tests.unreadable)
    threshold = accepting["threshold"]
    return TeachingReport(
        path=Path(out),
        size=file.stat().st_size,
        side=side,
        classes={
            name: int((part.labels == label).sum()) for label, name in enumerate(found.classes)
        },
        counter_examples=int((~own).sum()),
        expected=expected,
        threshold=threshold,
        accepted=float((best_scores[own] >= threshold).mean()),
        counter_examples_accepted=float((best_scores[~own] >= threshold).mean())
        if (~own).any()
        else None,
        confusions=summary.confusions(scores[own].argmax(axis=1), part.labels[own], found.classes),
        mislabelled=summary.mislabelled(learnt, part.photographs, found.classes),
        near_doubles=summary.near_doubles(learnt, part.photographs),
        curve=summary.curve(learnt, part.labels, expected.top1),
        tested=tested,
        test_confusions=test_confusions,
        unreadable=(*unreadable, *(str(e.error) for e in embedded if e.error is not None)),
        left_out=_left_out(left_out.files, others),
        agreement=float((found_float == found_int8).mean()),
        seconds=time.monotonic() - started,
    )


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


def _left_out(files: int, folders: Sequence[str]) -> str:
    parts = []
    if files:
        parts.append(
            f"{files:,} file{'s' if files > 1 else ''} without an image's suffix or beside the "
            f"folders of the classes"
        )
    if folders:
        parts.append(f"what lies beside the folders {TRAIN} and {TEST} ({', '.join(folders)})")
    return f"left out {' and '.join(parts)}." if parts else ""


def _ensure_right(path: Path, part: _Part, expected: NDArray[np.intp]) -> None:
    """Classify a few photographs with the file, as the runtime does.

    Raises:
        ModelError: it gives other classes than the head.
    """
    chosen = np.unique(np.linspace(0, len(part.photographs) - 1, _CHECKED).round().astype(int))
    with Model(path) as model:
        found = [model.classify(part.photographs[i].path)[0].index for i in chosen]
    right = int((np.array(found) == expected[chosen]).sum())
    if right < len(chosen) - 1:
        raise ModelError(
            f"The taught model gives {len(chosen) - right} of {len(chosen)} photographs another "
            f"class than it was taught with on this device, so it was not written; report this."
        )
