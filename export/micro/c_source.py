"""The text of the C files: a header with constants, and a source with the graph and labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from edge_runtime.inference.engine import Engine
from edge_runtime.inference.metadata import Metadata
from edge_runtime.tflite.graph import operator_name

ALIGNMENT_BYTES = 16  # that flatbuffers and TensorFlow Lite Micro's arena need
_BYTES_A_LINE = 16


def header(
    name: str, path: Path, graph: bytes, engine: Engine, metadata: Metadata, arena_bytes: int
) -> str:
    """Return the C header: sizes, quantization, and the operators to register.

    Args:
        name: the model's name as a C identifier; every name in the header starts with it.
        path: the file that the graph is from, named in a comment.
        graph: a .tflite file without an archive behind it.
        engine: describes the graph's input and output tensors.
        metadata: the file's, which may say what the input's real values are.
        arena_bytes: working memory that the graph needs.
    """
    upper = name.upper()
    image, scores = engine.input, engine.output
    _, height, width, channels = image.shape
    numbers: dict[str, int | str] = {
        "MODEL_BYTES": len(graph),
        "ARENA_BYTES": arena_bytes,
        "HEIGHT": height,
        "WIDTH": width,
        "CHANNELS": channels,
        "CLASSES": scores.shape[-1],
    }
    for end, tensor in (("INPUT", image), ("OUTPUT", scores)):
        scale, zero_point = tensor.quantization.scale, tensor.quantization.zero_point
        # A float tensor holds the real values themselves, and has a scale of 0.
        numbers |= {f"{end}_SCALE": f"{scale or 1:.8e}f", f"{end}_ZERO_POINT": zero_point}
    defines = "\n".join(f"#define {upper}_{key} {value}" for key, value in numbers.items())
    operators = "\n".join(f" *   {operator}" for operator in _operators(graph))
    return f"""\
/* {ascii(path.name)[1:-1]} for TensorFlow Lite Micro, written by python -m export.micro.
 *
 * The input is {image.dtype} [1, {height}, {width}, {channels}], the output {scores.dtype} \
[1, {scores.shape[-1]}]; real = scale * (q - zero point).
{_normalization(metadata)}\
 * {upper}_ARENA_BYTES is what the graph needs, measured on a 64-bit machine with an arena
 * aligned to {ALIGNMENT_BYTES} bytes. The operators to register:
 *
{operators}
 */
#ifndef {upper}_H_
#define {upper}_H_

{defines}

#ifdef __cplusplus
extern "C" {{
#endif

extern const unsigned char {name}_model[{upper}_MODEL_BYTES];
extern const char *const {name}_labels[{upper}_CLASSES];

#ifdef __cplusplus
}}
#endif

#endif
"""


def _normalization(metadata: Metadata) -> str:
    """Return a comment line about the input's real values, or nothing if the file is silent."""
    if metadata.mean is None or metadata.std is None:
        return ""
    mean, std = (", ".join(f"{v:g}" for v in values) for values in (metadata.mean, metadata.std))
    return f" * The input's real values are (pixel - mean) / std; mean {mean}, std {std}.\n"


def source(name: str, graph: bytes, header_name: str, labels: Sequence[str]) -> str:
    """Return the C source: the graph as an aligned array, and the labels (UTF-8) in class order.

    Args:
        name: the model's name as a C identifier.
        graph: a .tflite file without an archive behind it.
        header_name: file name of the header to include.
        labels: class names in the order of the scores.
    """
    upper = name.upper()
    lines = (
        ", ".join(f"{byte:#04x}" for byte in graph[at : at + _BYTES_A_LINE])
        for at in range(0, len(graph), _BYTES_A_LINE)
    )
    data = ",\n    ".join(lines)
    names = ",\n    ".join(_literal(label) for label in labels)
    return f"""\
/* Written by python -m export.micro; see the header. */
#include "{header_name}"

#if defined(__GNUC__)
#define {upper}_ALIGNED __attribute__((aligned({ALIGNMENT_BYTES})))
#elif defined(__cplusplus)
#define {upper}_ALIGNED alignas({ALIGNMENT_BYTES})
#else
#define {upper}_ALIGNED _Alignas({ALIGNMENT_BYTES})
#endif

const unsigned char {upper}_ALIGNED {name}_model[{upper}_MODEL_BYTES] = {{
    {data}
}};

const char *const {name}_labels[{upper}_CLASSES] = {{
    {names}
}};
"""


def _literal(label: str) -> str:
    """Return a C string literal.

    Octal escapes end after three digits; hexadecimal ones would swallow digits that follow.
    """
    escaped = (
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\?' else f"\\{byte:03o}"
        for byte in label.encode()
    )
    return f'"{"".join(escaped)}"'


def _operators(graph: bytes) -> list[str]:
    """Return the names of the graph's operators in TensorFlow Lite's schema, sorted."""
    model = schema.ModelT.InitFromPackedBuf(graph)
    return sorted({operator_name(code) for code in model.operatorCodes})
