"""Which operations of a graph a delegate runs, from LiteRT's list of operations.

Imports nothing heavy, because commands check their options with it.
"""

from __future__ import annotations

import os
from typing import Any, Literal, NamedTuple

from edge_runtime.errors import DelegateError

CPU_DELEGATES = ("xnnpack", "cpu")  # part of LiteRT, and there on every machine
OPENVINO = "openvino"
# These run on the CPU's cores, in as many threads or processes as asked for.
ON_CPU = (*CPU_DELEGATES, OPENVINO)
ACCELERATORS = ("gpu", "npu")
DELEGATES = (*ON_CPU, *ACCELERATORS)
DELEGATE_CHOICES = ", ".join((*DELEGATES, "auto"))  # for messages
# Convolutions and dense layers, which take most of the time.
WEIGHTED_OPERATIONS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
_WRAPPING = frozenset({"QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE"})  # leave scores scores
# May follow a softmax, and need another one only if what comes out says so.
_SELECTING = frozenset(
    {
        *("ADD", "CAST", "CONCATENATION", "DIV", "EXPAND_DIMS", "GATHER", "GATHER_ND", "MAXIMUM"),
        *("MEAN", "MINIMUM", "MUL", "PACK", "PAD", "PADV2", "REDUCE_MAX", "RELU", "RELU6"),
        *("RELU_0_TO_1", "RELU_N1_TO_1", "SLICE", "SPLIT", "SPLIT_V", "STRIDED_SLICE"),
        *("SUM", "TRANSPOSE", "UNPACK"),
    }
)
SCORES = ("auto", "softmax", "none")  # what is done to a network's output
Scoring = Literal["last", "before", "absent"]
_SCORING = frozenset({"SOFTMAX", "LOGISTIC"})


class Placement(NamedTuple):
    """Which delegate runs a graph, and which operations it left.

    Attributes:
        delegate: one of `DELEGATES`, or the path of an external delegate's library.
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
    if delegate in (*DELEGATES, "auto"):
        return
    if not (os.path.exists(delegate) if is_path else is_library):  # noqa: PTH110
        raise DelegateError(
            f"expected --delegate {DELEGATE_CHOICES}, or the path of a delegate's library, "
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


def scoring(operations: list[dict[str, Any]], output: int) -> Scoring:
    """Return where a graph turns logits into scores by a softmax or sigmoid.

    Args:
        operations: from `operations_of`.
        output: tensor index of the graph's output.

    Returns:
        "last" if nothing but a change of type or shape follows, or a product with other scores;
        "before" if what follows only selects, clips, joins or averages scores; otherwise "absent".
    """
    maker = {int(t): op for op in operations for t in op["outputs"]}
    if _reaches_scoring(maker, output, _WRAPPING):
        return "last"
    return "before" if _reaches_scoring(maker, output, _WRAPPING | _SELECTING) else "absent"


def _reaches_scoring(
    maker: dict[int, dict[str, Any]], output: int, passing: frozenset[str]
) -> bool:
    """Return whether every way back from a tensor leads through `passing` to a softmax or sigmoid.

    Constants have no maker. The way back may also end at the graph's input, which has none either.
    """
    if output not in maker:
        return False
    waiting, seen = [output], set()
    while waiting:
        tensor = waiting.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        operation = maker[tensor]
        if operation["op_name"] in _SCORING:
            continue
        made = [int(t) for t in operation["inputs"] if int(t) in maker]
        product = operation["op_name"] == "MUL" and len(made) > 1  # of scores, so it is a score
        if not made or not (product or operation["op_name"] in passing):
            return False
        waiting += made
    return True
