"""Reading the zip archive that may follow the graph in a .tflite file.

It is read with `struct`, because the standard library's `zipfile` costs the command 10 to 14 ms at
start. The layout is that of PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.inference.flatbuffer import Buffer

_END = struct.Struct("<4s4xHHIIH")  # signature, entries here, entries, size, offset, comment
# Signature, method, packed size, full size, lengths of name, extra field and comment, offset.
_ENTRY = struct.Struct("<4s6xH8xIIHHH8xI")
_LOCAL = struct.Struct("<4s22xHH")  # signature, lengths of name and extra field
_STORED, _DEFLATED = 0, 8
_MAX_BYTES = 1 << 26  # of all files; ImageNet's 21,841 labels take 600 kB


def attached_files(data: Buffer) -> dict[str, bytes]:
    """Return the files of the archive at the end of `data` by name; none if there is no archive.

    Raises:
        ValueError: the archive's records contradict one another, it is of a kind that models do
            not use, or its files would take too much memory.
        struct.error: a record is cut short.
    """
    end = data.rfind(b"PK\5\6", max(0, len(data) - _END.size - 0xFFFF))
    if end < 0:
        return {}
    _, _, entries, size, at, _ = _END.unpack_from(data, end)
    # Offsets may count from the start of the archive. Then this is the length of the graph.
    before = end - size - at
    at += before
    if min(at, before) < 0:
        raise ValueError("expected the archive's records inside the file")
    files: dict[str, bytes] = {}
    room = _MAX_BYTES
    for _ in range(entries):
        signature, method, packed, full, name_length, extra, comment, header = _ENTRY.unpack_from(
            data, at
        )
        if signature != b"PK\1\2" or method not in (_STORED, _DEFLATED):
            raise ValueError("expected stored or deflated zip entries")
        room -= max(packed, full)
        if room < 0:
            raise ValueError(f"expected at most {_MAX_BYTES:,} bytes of files")
        name = data[at + _ENTRY.size : at + _ENTRY.size + name_length].decode("utf-8", "replace")
        header += before
        signature, local_name, local_extra = _LOCAL.unpack_from(data, header)
        start = header + _LOCAL.size + local_name + local_extra
        if signature != b"PK\3\4" or start + packed > end:
            raise ValueError(f"expected {name} inside the file")
        content = data[start : start + packed]
        files[name] = content if method == _STORED else _inflate(content, full, name)
        at += _ENTRY.size + name_length + extra + comment
    return files


def _inflate(content: bytes, size: int, name: str) -> bytes:
    import zlib

    try:
        inflated = zlib.decompressobj(-15).decompress(content, size + 1)
    except zlib.error as exc:
        raise ValueError(f"{name} cannot be inflated") from exc
    if len(inflated) != size:
        raise ValueError(f"expected {name} to have {size:,} bytes")
    return inflated
