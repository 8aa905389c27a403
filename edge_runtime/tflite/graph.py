"""A .tflite graph taken apart by LiteRT's generated schema: names of its operators, and writing."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

_OPERATORS = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}


def operator_name(code: schema.OperatorCodeT) -> str:
    """Return an operator's name in schema.fbs, for example "CONV_2D"."""
    # schema.fbs: writers fill the byte `deprecated_builtin_code` up to 127, or the wider field.
    return _OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]


class _AlignedBuffer(schema.BufferT):
    """A buffer at a multiple of 16 bytes, as schema.fbs asks; the generated code ignores it."""

    def Pack(self, builder: flatbuffers.Builder) -> int:
        if self.data is not None:
            builder.Prep(16, len(self.data))
        return super().Pack(builder)


class _SharingBuilder(flatbuffers.Builder):
    """A builder that writes equal vectors of int64 once, and refers to them as often as needed.

    In a quantized graph these are zero points: eight bytes for each channel of each kernel, all 0.
    """

    def __init__(self) -> None:
        super().__init__(1024)
        self._written: dict[bytes, int] = {}

    def CreateNumpyVector(self, x: NDArray) -> int:
        if x.dtype != np.int64:
            return int(super().CreateNumpyVector(x))
        content = x.tobytes()
        if content not in self._written:
            self._written[content] = super().CreateNumpyVector(x)
        return self._written[content]


def packed(model: schema.ModelT) -> bytes:
    """Return a model as the bytes of a .tflite file, with aligned buffers."""
    model.buffers = [_AlignedBuffer(b.data, b.offset, b.size) for b in model.buffers]
    builder = _SharingBuilder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
