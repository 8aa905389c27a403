"""Model files with metadata that several tests make."""

import io
import zipfile
from collections.abc import Callable
from copy import copy
from typing import Any

import flatbuffers
import numpy as np

GRAPH = b"\x1c\0\0\0TFL3" + bytes(200)
CARD = {
    "network": "tiny",
    "precision": "float32",
    "classes": ["chat", "œuf"],
    "preprocessing": {"fit": "stretch", "mean": [1.0, 2.0, 3.0], "std": [4.0]},
    "io": {"input": {"shape": [1, 4, 4, 3]}},
    "schema_version": 1,
    "author": "A",
    "license": "L",
}


def archive(data: bytes, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Append a zip archive of files to data, as the standard library writes it."""
    stream = io.BytesIO()
    stream.write(data)
    with zipfile.ZipFile(stream, "a", compression) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return stream.getvalue()


def flatbuffer(root, identifier=None) -> bytes:
    """Write a flatbuffer.

    Args:
        root: fields of the root table by their numbers. A value is a string, bytes, a small number
            (stored as int8), a further table (such a dict) or a list of tables.
        identifier: four bytes that mark the file's type.
    """
    builder = flatbuffers.Builder()

    def written(value):
        if isinstance(value, str):
            return builder.CreateString(value)
        if isinstance(value, bytes):
            return builder.CreateByteVector(value)
        if isinstance(value, list):
            offsets = [written(table) for table in value]
            builder.StartVector(4, len(offsets), 4)
            for offset in reversed(offsets):
                builder.PrependUOffsetTRelative(offset)
            return builder.EndVector()
        offsets = {n: written(field) for n, field in value.items() if not isinstance(field, int)}
        builder.StartObject(1 + max(value))
        for number, field in value.items():
            if number in offsets:
                builder.PrependUOffsetTRelativeSlot(number, offsets[number], 0)
            else:
                builder.PrependInt8Slot(number, field, 0)
        return builder.EndObject()

    builder.Finish(written(root), identifier)
    return bytes(builder.Output())


def changed(model: bytes, change: Callable[[Any], None]) -> bytes:
    """Return a model after a change to its object, of LiteRT's schema `ModelT`."""
    from ai_edge_litert import schema_py_generated as schema

    graph = schema.ModelT.InitFromPackedBuf(bytearray(model), 0)
    change(graph)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(graph.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_custom_softmax(model: bytes, name: str) -> bytes:
    """Return a model whose softmax is a custom operation of this name."""
    from ai_edge_litert.schema_py_generated import BuiltinOperator

    def change(graph: Any) -> None:
        for number, code in enumerate(graph.operatorCodes):
            if code.builtinCode == BuiltinOperator.SOFTMAX:
                code.builtinCode = code.deprecatedBuiltinCode = BuiltinOperator.CUSTOM
                code.customCode = name.encode()
                for step in graph.subgraphs[0].operators:
                    if step.opcodeIndex == number:
                        step.builtinOptionsType, step.builtinOptions = 0, None
                        step.customOptions = np.zeros(0, np.uint8)

    return changed(model, change)


def followed_by(model: bytes, operation: str) -> bytes:
    """Return a model with one more operation at its end, which has one input and no options."""
    from ai_edge_litert import schema_py_generated as schema

    def change(graph: Any) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, operation)
        code.deprecatedBuiltinCode, code.version = code.builtinCode, 1
        graph.operatorCodes.append(code)
        main = graph.subgraphs[0]
        output = copy(main.tensors[main.outputs[0]])
        output.name = b"followed"
        main.tensors.append(output)
        step = schema.OperatorT()
        step.opcodeIndex = len(graph.operatorCodes) - 1
        step.inputs = np.array(main.outputs, np.int32)
        step.outputs = np.array([len(main.tensors) - 1], np.int32)
        main.operators.append(step)
        main.outputs = step.outputs
        graph.signatureDefs = []

    return changed(model, change)
