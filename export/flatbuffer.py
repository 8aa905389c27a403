"""Writing a .tflite graph that was taken apart."""

from __future__ import annotations

import flatbuffers
from ai_edge_litert import schema_py_generated as schema


class _AlignedBuffer(schema.BufferT):
    """A buffer at a multiple of 16 bytes, as schema.fbs asks and the generated code ignores."""

    def Pack(self, builder: flatbuffers.Builder) -> int:
        if self.data is not None:
            builder.Prep(16, len(self.data))
        return super().Pack(builder)


def packed(model: schema.ModelT) -> bytes:
    """Return a model as the bytes of a .tflite file, its buffers aligned."""
    model.buffers = [_AlignedBuffer(b.data, b.offset, b.size) for b in model.buffers]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
