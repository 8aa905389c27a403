"""A .tflite graph taken apart by LiteRT's generated schema: names of its operators, and writing."""

from __future__ import annotations

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

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


def packed(model: schema.ModelT) -> bytes:
    """Return a model as the bytes of a .tflite file, with aligned buffers."""
    model.buffers = [_AlignedBuffer(b.data, b.offset, b.size) for b in model.buffers]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
