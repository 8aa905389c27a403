"""Which operations of a graph run where, from LiteRT's list of them.

This file imports nothing but typing.
"""

from __future__ import annotations

from typing import Any, NamedTuple

CPU_DELEGATES = frozenset({"xnnpack", "cpu"})
HEAVY = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})  # where the time goes
_WRAPPING = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE"})  # keep what a value means
_SCORING = frozenset({"SOFTMAX", "LOGISTIC"})


class Placement(NamedTuple):
    """What runs a graph.

    Attributes:
        delegate: `xnnpack`, `cpu`, `gpu`, `npu`, or the path of an external delegate.
        threads: of the CPU, for one image.
        delegated: how many operations the delegate took.
        operations: how many there are.
        outside: the names of those that LiteRT's built-in CPU kernels run instead.
    """

    delegate: str
    threads: int
    delegated: int
    operations: int
    outside: tuple[str, ...]


def operations_of(listed: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], set[int]]:
    """Return a graph's own operations, and the places of those that a delegate took.

    LiteRT lists them all, then one DELEGATE for each partition with its inputs and outputs: what
    lies between is what it took. No public API says so.
    """
    operations = [op for op in listed if op["op_name"] != "DELEGATE"]
    maker = {int(t): i for i, op in enumerate(operations) for t in op["outputs"]}
    taken: set[int] = set()
    for partition in (op for op in listed if op["op_name"] == "DELEGATE"):
        given = {int(t) for t in partition["inputs"]}
        wanted = [int(t) for t in partition["outputs"]]
        while wanted:
            tensor = wanted.pop()
            if tensor in given or tensor not in maker or maker[tensor] in taken:
                continue
            taken.add(maker[tensor])
            wanted += [int(t) for t in operations[maker[tensor]]["inputs"]]
    return operations, taken


def ends_in_scores(operations: list[dict[str, Any]], output: int) -> bool:
    """Say whether a graph's output comes from a softmax or the like, so that it is no logit."""
    maker = {int(t): op for op in operations for t in op["outputs"]}
    tensor = output
    while tensor in maker:
        if maker[tensor]["op_name"] not in _WRAPPING:
            return maker[tensor]["op_name"] in _SCORING
        tensor = int(maker[tensor]["inputs"][0])
    return False
