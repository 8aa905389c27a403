"""The photographs of a folder, their features, and what `edge-teach` learns from some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import TeachingError
from edge_runtime.inference.quantization import Quantization
from edge_runtime.inputs.class_folders import (
    MIN_PHOTOGRAPHS,
    Photograph,
    Photographs,
    find_photographs,
    find_tests,
    parts_of,
    require_enough,
)
from edge_runtime.teaching.embedding import Backbone, Embedded, comparable
from edge_runtime.teaching.graph import backbone_file
from edge_runtime.teaching.head import Head
from edge_runtime.teaching.learning import Learnt, learn
from edge_runtime.teaching.quantized import QuantizedHead, quantize_head
from edge_runtime.teaching.store import open_store


class Pool(NamedTuple):
    """Photographs of some classes.

    Attributes:
        classes: how many there are.
        labels: class indices, (N,).
        features: int8 (N, views, features).
        blocks: numbers of features, one for each layer that they come from.
        quantization: of the features.
    """

    classes: int
    labels: NDArray[np.intp]
    features: NDArray[np.int8]
    blocks: tuple[int, ...]
    quantization: Quantization


class Taught(NamedTuple):
    """What `edge-teach` learns.

    Attributes:
        learnt: from the photographs.
        head: for real features.
        quantized: the same head in integers, as the model file has it.
    """

    learnt: Learnt
    head: Head
    quantized: QuantizedHead


def find_pool(folder: Path) -> Photographs:
    """Find the photographs of the classes; those of `train` and `test` are pooled.

    Counter-examples are left out, because other heads cannot learn from them.

    Raises:
        TeachingError: the folder is not as `edge-teach` expects it.
    """
    learnt_from, tested_on, _ = parts_of(folder)
    found = find_photographs(learnt_from, _ignore)
    photographs: Sequence[Photograph] = found.photographs
    if tested_on is not None:
        photographs = (*photographs, *find_tests(tested_on, found.classes, _ignore).photographs)
    return found._replace(photographs=tuple(p for p in photographs if p.label >= 0))


def read_pool(
    found: Photographs, side: int, threads: int, done: Callable[[Embedded], None]
) -> tuple[Pool, tuple[Photograph, ...]]:
    """Run the backbone on photographs.

    Args:
        found: the photographs.
        side: of the backbone's input, in pixels.
        threads: photographs that are read at once.
        done: called after each photograph.

    Returns:
        The pool, and its photographs in the same order: those that can be read.

    Raises:
        TeachingError: a class has too few photographs that can be read, or none has more than are
            learnt from.
    """
    with backbone_file(side) as path, open_store(path) as store:
        backbone = Backbone(path, store)
        embedded = backbone.embed([p.path for p in found.photographs], threads=threads, done=done)
    readable = [
        (photograph, result.features)
        for photograph, result in zip(found.photographs, embedded, strict=True)
        if result.features is not None
    ]
    photographs = tuple(photograph for photograph, _ in readable)
    require_enough(found._replace(photographs=photographs), Path())
    labels = np.array([photograph.label for photograph in photographs], np.intp)
    if np.bincount(labels).max() <= MIN_PHOTOGRAPHS:
        raise TeachingError(
            f"Expected a class with more than {MIN_PHOTOGRAPHS} photographs, so that some are left "
            f"to test on; add photographs."
        )
    pool = Pool(
        len(found.classes),
        labels,
        np.array([features for _, features in readable], np.int8),
        backbone.blocks,
        backbone.quantization,
    )
    return pool, photographs


def teach_some(pool: Pool, chosen: NDArray[np.intp], labels: NDArray[np.intp]) -> Taught:
    """Learn from some photographs of a pool, as `edge-teach` does.

    Args:
        pool: the photographs.
        chosen: indices of those to learn from, (N,).
        labels: their class indices, (N,).
    """
    features, factor = comparable(pool.features[chosen], pool.blocks, pool.quantization)
    learnt = learn(features, labels, pool.classes, _ignore)
    head = Head(learnt.head.weights * factor[:, np.newaxis], learnt.head.bias)
    samples = pool.quantization.dequantize(pool.features[chosen, 0])
    return Taught(learnt, head, quantize_head(head, pool.quantization, samples))


def _ignore(_: str) -> None:
    """Ignore what `edge-teach` would say."""
