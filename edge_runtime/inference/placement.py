"""Which operations of a graph a delegate runs, from LiteRT's list of operations.

Imports nothing heavy, because commands check their options with it.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from edge_runtime.errors import DelegateError

DELEGATES = ("xnnpack", "cpu", "gpu", "npu", "auto")
CPU_DELEGATES = ("xnnpack", "cpu")  # part of LiteRT, and there on every machine
# Convolutions and dense layers, which take most of the time.
WEIGHTED_OPERATIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_WRAPPING = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE"})  # leave scores scores
_SCORING = frozenset({"SOFTMAX", "LOGISTIC"})


class Placement(NamedTuple):
    """Which delegate runs a graph, and which operations it left.

    Attributes:
        delegate: `xnnpack`, `cpu`, `gpu`, `npu`, or the path of an external delegate's library.
        threads: CPU threads for one image.
        delegated: number of operations that the delegate runs.
        operations: number of all operations.
        outside: names of the operations that LiteRT's built-in CPU kernels run instead.
    """

    delegate: str
    threads: int
    delegated: int
    operations: int
    outside: tuple[str, ...]


def require_delegate(delegate: str) -> None:
    """Reject a delegate that exists nowhere. One that is merely not available here may pass.

    Args:
        delegate: the value of `--delegate`.

    Raises:
        DelegateError: it is neither a delegate's name nor the path or name of a library.
    """
    if not delegate:
        raise DelegateError("expected --delegate to be a name, but got an empty one.")
    is_path = "/" in delegate or os.sep in delegate
    is_library = "." in delegate  # the system's loader may find it
    if delegate not in DELEGATES and not (os.path.exists(delegate) if is_path else is_library):  # noqa: PTH110
        raise DelegateError(
            f"expected --delegate {', '.join(DELEGATES)}, or the path of a delegate's library, "
            f"but got {delegate}."
        )


def operations_of(listed: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], set[int]]:
    """Return a graph's own operations, and the positions of those that a delegate took.

    LiteRT lists all operations, then one DELEGATE for each partition with its inputs and outputs.
    The operations between those are the ones it took; no public API says so.

    Args:
        listed: from `Interpreter._get_ops_details`.
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
    """Return whether a graph ends in a softmax or sigmoid, so that its output is not logits.

    Args:
        operations: from `operations_of`.
        output: tensor index of the graph's output.
    """
    maker = {int(t): op for op in operations for t in op["outputs"]}
    tensor = output
    while tensor in maker:
        if maker[tensor]["op_name"] not in _WRAPPING:
            return maker[tensor]["op_name"] in _SCORING
        tensor = int(maker[tensor]["inputs"][0])
    return False
