"""What a .tflite file says about itself, besides its graph.

That is TFLite Metadata (https://ai.google.dev/edge/litert/models/metadata):

- files in a zip archive behind the graph: the class labels and, in our models, `model-card.json`;
- a flatbuffer inside the graph that says how pixels become the input's real values, and which of
  the attached files holds the labels. Our model card says the same and more, so that the
  flatbuffer is read where there is no card only.

Both are read with `struct`: the standard library's `zipfile` costs the command 10 to 14 ms at
start, a generated schema as much again.
"""

from __future__ import annotations

import json
import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from edge_runtime.errors import ModelError
from edge_runtime.inputs.resize import FITS

if TYPE_CHECKING:
    from edge_runtime.inference.flatbuffer import Buffer, Table

LABELS_FILE = "labels.txt"
CARD_FILE = "model-card.json"


@dataclass(frozen=True)
class Metadata:
    """What a model file says about itself; empty or None where it says nothing.

    Attributes:
        labels: class names in the order of the scores.
        mean: subtracted from a pixel (0-255), one for all channels or one a channel.
        std: the difference is divided by this, which gives the input's real value.
        fit: how a picture of another shape is made to fit: "crop", "stretch" or "pad".
        card: the whole model card, see `export.metadata`.
    """

    labels: tuple[str, ...] = ()
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    fit: str | None = None
    card: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def read_metadata(path: Path) -> Metadata:
    """Read what a model file says about itself.

    Raises:
        ModelError: what is attached is damaged.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        try:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file
            return Metadata()
    with data:
        try:
            files = attached_files(data)
            if CARD_FILE in files:
                return _from_card(json.loads(files[CARD_FILE]), files)
            return _from_flatbuffer(data, files)
        except (struct.error, ValueError, TypeError, LookupError, RecursionError) as exc:
            raise ModelError(
                f"The metadata of {path} is damaged ({exc}); copy or export the model again."
            ) from exc


def _from_card(card: Any, files: Mapping[str, bytes]) -> Metadata:
    preprocessing = card["preprocessing"]
    if preprocessing["fit"] not in FITS:
        raise ValueError(f"expected the card's `fit` to be one of {', '.join(FITS)}")
    mean, std = _normalization(preprocessing["mean"], preprocessing["std"])
    return Metadata(
        labels=label_lines(files.get(LABELS_FILE, b"")),
        mean=mean,
        std=std,
        fit=preprocessing["fit"],
        card=MappingProxyType(card),
    )


# Field numbers are those of LiteRT's schema.fbs and of TFLite Metadata's metadata_schema.fbs.
_METADATA_NAME = b"TFLITE_METADATA"
_NORMALIZATION = 1  # in ProcessUnitOptions
_AXIS_LABELS = 2  # in AssociatedFileType


def _from_flatbuffer(data: Buffer, files: Mapping[str, bytes]) -> Metadata:
    labels = files.get(LABELS_FILE, b"")
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    for subgraph in _model_metadata(data)[:1]:
        for image in subgraph.tables(2)[:1]:
            for unit in image.tables(4):
                options = unit.table(1)
                if unit.byte(0) == _NORMALIZATION and options and options.floats(0):
                    mean, std = _normalization(options.floats(0), options.floats(1))
        for scores in subgraph.tables(3)[:1]:
            of_axis = [f for f in scores.tables(6) if f.byte(2) == _AXIS_LABELS]
            of_axis.sort(key=lambda f: bool(f.bytes(3)))  # with a locale they are translations
            attached = (f.bytes(0).decode() for f in of_axis)
            labels = next((files[name] for name in attached if name in files), labels)
    return Metadata(labels=label_lines(labels), mean=mean, std=std)


def _model_metadata(data: Buffer) -> list[Table]:
    """Return the metadata of each subgraph, nothing where the graph carries none."""
    if data[4:8] != b"TFL3":
        return []
    from edge_runtime.inference.flatbuffer import Table

    model = Table.root(data)
    for entry in model.tables(6):
        if entry.bytes(0) == _METADATA_NAME:
            return Table.root(model.tables(4)[entry.u32(1)].bytes(0)).tables(3)
    return []


def _normalization(mean: Any, std: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, std = tuple(float(value) for value in mean), tuple(float(value) for value in std)
    if not (mean and std and all(map(math.isfinite, mean + std)) and all(std)):
        raise ValueError(f"expected means and deviations, none 0, but got {mean} and {std}")
    return mean, std


def label_lines(text: bytes) -> tuple[str, ...]:
    """Return the labels in a file, one a line, without a byte order mark and blank lines behind.

    Raises:
        UnicodeDecodeError: it is no UTF-8.
    """
    lines = text.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return tuple(lines)


# PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16
_END = struct.Struct("<4s4xHHIIH")  # signature, entries here, entries, size, offset, comment
_ENTRY = struct.Struct("<4s6xH8xIIHHH8xI")  # signature, method, sizes, lengths, header offset
_LOCAL = struct.Struct("<4s22xHH")  # signature, lengths of name and extra field
_STORED, _DEFLATED = 0, 8
_MAX_BYTES = 1 << 26  # of all files; ImageNet's 21,841 labels are 600 kB


def attached_files(data: Buffer) -> dict[str, bytes]:
    """Return the files in the zip archive at the end of `data` by name, none if there is none.

    Raises:
        ValueError: the archive's records are inconsistent, or of a kind that models do not use.
        struct.error: a record is cut short.
    """
    end = data.rfind(b"PK\5\6", max(0, len(data) - _END.size - 0xFFFF))
    if end < 0:
        return {}
    _, _, entries, size, at, _ = _END.unpack_from(data, end)
    before = end - size - at  # where offsets count from the archive's start, the graph's length
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
        name = data[at + 46 : at + 46 + name_length].decode("utf-8")
        header += before
        signature, local_name, local_extra = _LOCAL.unpack_from(data, header)
        start = header + _LOCAL.size + local_name + local_extra
        if signature != b"PK\3\4" or start + packed > end:
            raise ValueError(f"expected {name} inside the file")
        content = data[start : start + packed]
        files[name] = content if method == _STORED else _inflate(content, full, name)
        at += 46 + name_length + extra + comment
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
