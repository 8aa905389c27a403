"""Model files with metadata that several tests make."""

import io
import zipfile

import flatbuffers

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
