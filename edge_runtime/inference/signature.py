"""The input and output of a graph: reads them from LiteRT's tables and checks them.

Imports numpy and nothing of LiteRT.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge_runtime.errors import ModelError
from edge_runtime.inference.quantization import Quantization

if TYPE_CHECKING:
    from collections.abc import Sequence


class Tensor(NamedTuple):
    """Shape, type and quantization of a graph's input or output."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    quantization: Quantization


class Signature(NamedTuple):
    """The one input and the one output of an image classifier, and their tensor indices.

    Attributes:
        input: images, (1, height, width, 1 or 3).
        output: scores of one image, one or more dimensions of 1 and then the classes.
        input_index: of the input among the graph's tensors.
        output_index: of the output among the graph's tensors.
    """

    input: Tensor
    output: Tensor
    input_index: int
    output_index: int


def read_signature(
    inputs: Sequence[dict[str, Any]], outputs: Sequence[dict[str, Any]], path: Path
) -> Signature:
    """Return the signature of an image classifier.

    Args:
        inputs: from `Interpreter.get_input_details`.
        outputs: from `Interpreter.get_output_details`.
        path: the model file, for the error.

    Raises:
        ModelError: these are not the input and output of an image classifier, their size is open,
            or they hold integers without a scale. An input of uint8 needs none: it takes raw bytes.
    """
    if len(inputs) == len(outputs) == 1 and _is_open(inputs[0]):
        raise ModelError(
            f"{path} takes images of any size ({_shapes(inputs)}, where -1 is open); export it "
            f"with a fixed height and width."
        )
    if not (len(inputs) == len(outputs) == 1 and _classifies(inputs[0], outputs[0])):
        raise ModelError(
            f"{path} is not an image classifier: expected one input [1, height, width, 3 or 1] "
            f"and one output [1, classes], float32, uint8, int8 or int16, "
            f"but got {_shapes(inputs)} and {_shapes(outputs)}."
        )
    image, scores = _tensor(inputs[0]), _tensor(outputs[0])
    for tensor in (image, scores):
        is_raw = tensor is image and takes_raw_bytes(tensor)
        if np.issubdtype(tensor.dtype, np.integer) and not (
            tensor.quantization.scale > 0 or is_raw
        ):
            raise ModelError(
                f"{path} has a {tensor.dtype} input or output without a quantization scale; "
                f"quantize the model again."
            )
    return Signature(image, scores, inputs[0]["index"], outputs[0]["index"])


def takes_raw_bytes(tensor: Tensor) -> bool:
    """Return whether an input is uint8 without a scale, so that it takes the bytes of pixels."""
    return tensor.dtype == np.uint8 and tensor.quantization.scale == 0


def _is_open(input_: dict[str, Any]) -> bool:
    signature = tuple(input_["shape_signature"])
    return len(signature) == 4 and -1 in signature[1:3]


def _classifies(input_: dict[str, Any], output: dict[str, Any]) -> bool:
    image, scores = tuple(input_["shape"]), tuple(output["shape"])
    dtypes = {np.dtype(input_["dtype"]), np.dtype(output["dtype"])}
    return (
        len(image) == 4
        and image[0] == 1
        and image[3] in (1, 3)
        and len(scores) >= 1
        and min(*image, *scores) > 0
        and all(n == 1 for n in scores[:-1])
        and (len(scores) == 2 or scores[-1] > 1)
        and -1 not in tuple(input_["shape_signature"])[1:]
        and dtypes <= {np.dtype(t) for t in (np.float32, np.uint8, np.int8, np.int16)}
    )


def _shapes(details: Sequence[dict[str, Any]]) -> str:
    shapes = [f"{np.dtype(d['dtype'])} {[int(n) for n in d['shape_signature']]}" for d in details]
    return ", ".join(shapes) or "none"


def _tensor(details: dict[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    return Tensor(
        shape=tuple(int(n) for n in details["shape"]),
        dtype=np.dtype(details["dtype"]),
        quantization=Quantization(float(scale), int(zero_point)),
    )
