"""Write into a .tflite file what it is and how to use it.

The model card holds all of it and is attached as `model-card.json`. Other programs
read standard TFLite Metadata, so what they need is repeated there: a flatbuffer in the graph's
"TFLITE_METADATA" buffer, after TFLite's metadata_schema.fbs, and the labels as an attached file.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_runtime.inference.metadata import CARD_FILE, LABELS_FILE
from edge_runtime.tflite.graph import packed

_METADATA = "TFLITE_METADATA"  # name of the buffer
_DATE = (1980, 1, 1, 0, 0, 0)  # the zip format's first, so that equal inputs give equal bytes


def describe(graph: bytes, card: Mapping[str, Any]) -> bytes:
    """Return a graph with its model card, labels and TFLite Metadata inside.

    Args:
        graph: a .tflite file without any of them.
        card: the model card, whose keys `export.card` defines.
    """
    return attach(_with_metadata(graph, _model_metadata(card)), _files(card))


def with_card(model: bytes, card: Mapping[str, Any]) -> bytes:
    """Return a described .tflite file with another card, which describes the same graph.

    Args:
        model: from `describe`.
        card: its model card with other measurements.
    """
    return attach(detached(model), _files(card))


def attach(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """Append a zip archive of `files` to a model; LiteRT ignores what follows its graph.

    Entries are stored: MediaPipe refuses deflated ones.
    """
    data = io.BytesIO()
    data.write(model)
    with zipfile.ZipFile(data, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _DATE), files[name])
    return data.getvalue()


def undescribed(model: bytes) -> bytes:
    """Return a .tflite file without what `describe` wrote into it."""
    graph = schema.ModelT.InitFromPackedBuf(detached(model))
    for entry in graph.metadata or []:
        if entry.name == _METADATA.encode():
            graph.buffers[entry.buffer] = schema.BufferT()
    graph.metadata = [e for e in graph.metadata or [] if e.name != _METADATA.encode()]
    return packed(graph)


def detached(model: bytes) -> bytes:
    """Return a .tflite file without the zip archive behind its graph."""
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            starts = [entry.header_offset for entry in archive.infolist()]
    except zipfile.BadZipFile:  # there is none
        return model
    return model[: min(starts, default=len(model))]


def _files(card: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the files to attach: the card, and the labels if the graph has classes."""
    # The archive is not compressed, and the tables of acceptance are long.
    compact: dict[str, Any] = {"separators": (",", ":")} if "acceptance" in card else {"indent": 1}
    files = {CARD_FILE: json.dumps(card, **compact).encode() + b"\n"}
    if "classes" in card:
        files[LABELS_FILE] = "".join(f"{name}\n" for name in card["classes"]).encode()
    return files


# Field numbers and enum values are those of TFLite Metadata's metadata_schema.fbs, version 1.5.0.
_IDENTIFIER = b"M001"
_PARSER_VERSION = "1.0.0"  # the first version of the schema that has all fields written here
_AXIS_LABELS = 2  # AssociatedFileType
_DESCRIPTIONS = 1
_FEATURE, _IMAGE = 1, 2  # ContentProperties
_RGB = 1  # ColorSpaceType
_NORMALIZATION = 1  # ProcessUnitOptions

_MOST_NAMES = 50  # classes that the description names


def _model_metadata(card: Mapping[str, Any]) -> bytes:
    """Return the flatbuffer ModelMetadata with what the card says.

    Field 2, the model's version, is left out: a model's name and checkpoint identify it.
    """
    builder = flatbuffers.Builder()
    text, network = builder.CreateString, card["network"]
    _, height, width, _ = card["io"]["input"]["shape"]

    def floats(values: Sequence[float]) -> int:
        return builder.CreateNumpyVector(np.array(values, np.float32))

    def table(offsets: Mapping[int, int], enums: Mapping[int, int] | None = None) -> int:
        numbers = {**offsets, **(enums or {})}
        builder.StartObject(1 + max(numbers, default=-1))
        for number, offset in offsets.items():
            builder.PrependUOffsetTRelativeSlot(number, offset, 0)
        for number, value in (enums or {}).items():
            builder.PrependInt8Slot(number, value, 0)
        return builder.EndObject()

    def vector(offset: int) -> int:
        builder.StartVector(4, 1, 4)
        builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    def tensor(name: str, description: str, content: int, more: Mapping[int, int]) -> int:
        return table({0: text(name), 1: text(description), 3: content, **more})

    normalization = table(
        {0: floats(card["preprocessing"]["mean"]), 1: floats(card["preprocessing"]["std"])}
    )
    image = tensor(
        "image",
        f"RGB, {width} x {height}: the image's largest centred part of this shape, resized with "
        f"an antialiased bicubic filter.",
        table({1: table({}, {0: _RGB})}, {0: _IMAGE}),
        {4: vector(table({1: normalization}, {0: _NORMALIZATION}))},
    )
    if "classes" in card:
        labels = table(
            {0: text(LABELS_FILE), 1: text("Class names in the order of the scores.")},
            {2: _AXIS_LABELS},
        )
        output = tensor(
            "scores",
            "The score of each class after softmax; "
            + (
                "what they lack to 1 is the share of none of these."
                if "outlier_head" in card
                else "they add up to 1."
            ),
            table({1: table({})}, {0: _FEATURE}),
            {6: vector(labels)},
        )
    else:
        output = tensor(
            "features", "Features of the image.", table({1: table({})}, {0: _FEATURE}), {}
        )
    card_file = table(
        {0: text(CARD_FILE), 1: text("Origin and use of the model, JSON.")}, {2: _DESCRIPTIONS}
    )
    origin = {4: card.get("author"), 5: card.get("license")}
    metadata = table(
        {
            0: text(f"{network}-{card['precision']}"),
            1: text(_summary(card)),
            3: vector(table({2: vector(image), 3: vector(output)})),
            **{number: text(said) for number, said in origin.items() if said},
            6: vector(card_file),
            7: text(_PARSER_VERSION),
        }
    )
    builder.Finish(metadata, _IDENTIFIER)
    return bytes(builder.Output())


def _summary(card: Mapping[str, Any]) -> str:
    if "classes" not in card:
        return "Gives features of an image, from which classes can be told."
    classes = card["classes"]
    if len(classes) > _MOST_NAMES:
        return f"Classifies images as one of {len(classes):,} classes."
    return f"Classifies images as one of: {', '.join(classes)}."


def _with_metadata(graph: bytes, metadata: bytes) -> bytes:
    """Return a graph with one more buffer, named TFLITE_METADATA in its list of metadata."""
    model = schema.ModelT.InitFromPackedBuf(graph)
    model.buffers.append(schema.BufferT(np.frombuffer(metadata, np.uint8)))
    entry = schema.MetadataT(_METADATA, len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), entry]
    return packed(model)
