"""What a .tflite file says about itself, besides its graph.

As in TFLite Metadata, files are attached as a zip archive appended to the model
(https://ai.google.dev/edge/litert/models/metadata). Its entries are stored, not deflated, so that
every reader takes them and this one is a few lines: the standard library's `zipfile` costs the
command 10 to 14 ms at start. Layout of the archive: PKWARE's APPNOTE.TXT, sections 4.3.12 and
4.3.16.
"""

from __future__ import annotations

import struct
from pathlib import Path

from edge_runtime.errors import ModelError

LABELS_FILE = "labels.txt"

_END = struct.Struct("<4s4xHHIIH")  # signature, entries here, entries, size, offset, comment
_ENTRY = struct.Struct("<4s6xH8xIIHHH8xI")  # signature, method, sizes, lengths, header offset
_LOCAL = struct.Struct("<4s22xHH")  # signature, lengths of name and extra field
_STORED = 0


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the class labels attached to a model, in the order of its scores.

    Returns:
        Nothing where the file carries no labels.

    Raises:
        ModelError: the attached archive is damaged or compressed.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        data = stream.read()
    try:
        labels = attached_files(data).get(LABELS_FILE, b"").decode("utf-8")
    except (struct.error, ValueError) as exc:
        raise ModelError(
            f"The files attached to {path} are damaged ({exc}); copy or export the model again."
        ) from exc
    return tuple(labels.splitlines())


def attached_files(data: bytes) -> dict[str, bytes]:
    """Return the files in the zip archive at the end of `data` by name, none if there is none.

    Raises:
        ValueError: an entry is compressed, or the archive's records are inconsistent.
        struct.error: a record is cut short.
    """
    # Without a comment, which our files never have, the end record is the last 22 bytes.
    end = len(data) - _END.size
    if end < 0 or data[end : end + 4] != b"PK\5\6":
        return {}
    _, _, entries, _, at, _ = _END.unpack_from(data, end)
    files = {}
    for _ in range(entries):
        signature, method, size, full_size, name_length, extra, comment, header = (
            _ENTRY.unpack_from(data, at)
        )
        if signature != b"PK\1\2" or method != _STORED or size != full_size:
            raise ValueError("expected stored zip entries")
        name = data[at + 46 : at + 46 + name_length].decode("utf-8")
        signature, local_name, local_extra = _LOCAL.unpack_from(data, header)
        start = header + _LOCAL.size + local_name + local_extra
        if signature != b"PK\3\4" or start + size > end:
            raise ValueError(f"expected {name} inside the file")
        files[name] = data[start : start + size]
        at += 46 + name_length + extra + comment
    return files
