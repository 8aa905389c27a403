"""Mixed precision: keep in float the few layers without which int8 loses too much accuracy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from ai_edge_litert.interpreter import Interpreter

from edge_runtime.support.metrics import top1
from edge_runtime.support.timing import measure, summarize
from export.inputs import ExportInputs
from export.partial_int8 import partial_quantizer
from train.outlier_head import without

_ROUNDS = 300  # timed calls of each graph


class MixedGraph(NamedTuple):
    """An int8 graph with some layers in float.

    Attributes:
        graph: a .tflite file.
        float_layers: names of the layers in the Keras network; empty if plain int8 is good enough.
    """

    graph: bytes
    float_layers: tuple[str, ...]


def keep_fewest_in_float(
    inputs: ExportInputs, max_drop: float, *, say: Callable[[str], None]
) -> MixedGraph:
    """Quantize a network except the layers that would cost it more than `max_drop`.

    Layers go back to float in the order of their own error, the worst first (those of an outlier
    head last, see `PartialQuantizer.sqnr_db`), each with those that read its output, until the drop
    is within the limit. Then each returns to int8 if the limit still holds. So none of the kept
    layers can be left out, though another and smaller set may exist. If plain int8 is within the
    limit, no layer is kept.

    Args:
        inputs: the network and its images.
        max_drop: largest loss of top-1 accuracy on the held-out images, a fraction.
        say: receives a line about the price in bytes and time.
    """
    with partial_quantizer(replace(inputs, model=without(inputs.model))) as headless:
        sqnr = headless.sqnr_db()
    with partial_quantizer(inputs) as quantizer:
        # 1e-9 is for rounding.
        wanted = top1(inputs.scores, inputs.held_out.labels) - max_drop - 1e-9

        def good(kept: Iterable[int]) -> bool:
            return quantizer.top1(kept) >= wanted

        operations = quantizer.operations
        by_error = sorted(
            (o for o in operations if o.weighted), key=lambda o: sqnr.get(o.layer, math.inf)
        )
        kept: set[int] = set()
        for operation in by_error:
            if good(kept):
                break
            kept |= quantizer.with_readers(operation.index)
        for operation in [*(o for o in operations if not o.weighted), *reversed(by_error)]:
            if operation.index in kept and good(kept - {operation.index}):
                kept.remove(operation.index)
        graph, plain = quantizer.graph(kept), quantizer.graph(())
        layers = tuple(o.layer for o in operations if o.index in kept and o.weighted)
    if layers:  # after the block, which drops what is written to standard error
        mixed_us, plain_us = _median_us(graph, plain)
        say(
            f"kept in float: {', '.join(layers)}; price: {len(graph) - len(plain):+,} bytes, "
            f"{mixed_us - plain_us:+.0f} us an image ({plain_us:.0f} to {mixed_us:.0f}, one thread)"
        )
    return MixedGraph(graph, layers)


def _median_us(graph: bytes, plain: bytes) -> tuple[float, float]:
    """Return each graph's median time for one image on one thread, in microseconds."""
    interpreters = [Interpreter(model_content=g, num_threads=1) for g in (graph, plain)]
    for interpreter in interpreters:
        interpreter.allocate_tensors()
    mixed, int8 = interpreters
    times = measure({"mixed": mixed.invoke, "int8": int8.invoke}, rounds=_ROUNDS)
    return summarize(times["mixed"]).p50_us, summarize(times["int8"]).p50_us
