"""The metadata of a .tflite file: labels, pre-processing and model card.

It is TFLite Metadata (https://ai.google.dev/edge/litert/models/metadata), which has two parts:

- files in a zip archive behind the graph: the labels and, in our models, `model-card.json`;
- a flatbuffer inside the graph that says how pixels become the input's real values, and which of
  the attached files has the labels. Our model card says the same and more, so the flatbuffer is
  read only if there is no card.
"""

from __future__ import annotations

import json
import math
import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.inference.attachments import attached_files
from edge_runtime.inputs.resize import FITS

if TYPE_CHECKING:
    from edge_runtime.inference.flatbuffer import Buffer, Table

LABELS_FILE = "labels.txt"
CARD_FILE = "model-card.json"
_DAMAGE = (struct.error, ValueError, TypeError, LookupError, RecursionError)


class Metadata(NamedTuple):
    """The metadata of a model file; empty or None if the file does not give it.

    Attributes:
        labels: class names in the order of the scores.
        mean: subtracted from a pixel (0-255), one for all channels or one a channel.
        std: divides the difference, which gives the input's real value; as many as `mean`, or one.
        fit: how an image of another shape is made to fit, one of `edge_runtime.inputs.resize.FITS`.
        card: the whole model card, whose keys `export.card` defines.
        warnings: a clause for each part that is damaged or another tool's, and was left out.
    """

    labels: tuple[str, ...] = ()
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    fit: str | None = None
    card: Mapping[str, Any] = MappingProxyType({})
    warnings: tuple[str, ...] = ()


def read_metadata(path: Path) -> Metadata:
    """Read the metadata of a model file.

    What is damaged, or another tool's, is left out and named in `Metadata.warnings`: the graph may
    be sound all the same.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        try:
            data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError:  # an empty file
            return Metadata()
    with data:
        return _read(data)


def matching(metadata: Metadata, *, channels: int, classes: int) -> Metadata:
    """Return metadata without what cannot belong to a graph, which `warnings` then names.

    Args:
        channels: of the graph's input.
        classes: number of the graph's scores.
    """
    warnings = list(metadata.warnings)
    labels, mean, std = metadata.labels, metadata.mean, metadata.std
    if labels and len(labels) != classes:
        warnings.append(f"it carries {len(labels):,} labels for {classes:,} classes; ignored")
        labels = ()
    if any(values is not None and len(values) not in (1, channels) for values in (mean, std)):
        warnings.append(f"its mean and std are not for {channels} channels; ignored")
        mean = std = None
    return metadata._replace(labels=labels, mean=mean, std=std, warnings=tuple(warnings))


def label_lines(text: bytes) -> tuple[str, ...]:
    """Return the labels in a file, one a line.

    A byte order mark and blank lines at the end are dropped.

    Raises:
        UnicodeDecodeError: the text is not UTF-8.
    """
    lines = text.decode("utf-8-sig").replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return tuple(lines)


def _read(data: Buffer) -> Metadata:
    warnings = []
    files: Mapping[str, bytes] = {}
    try:
        files = attached_files(data)
    except _DAMAGE:
        warnings.append("its attached files cannot be read")
    found = None
    if CARD_FILE in files:
        try:
            found = _from_card(json.loads(files[CARD_FILE]))
        except _DAMAGE:
            warnings.append(f"its {CARD_FILE} has another layout, and is ignored")
    text = files.get(LABELS_FILE, b"")
    if found is None:
        try:
            found, text = _from_flatbuffer(data, files)
        except _DAMAGE:
            warnings.append("its TFLite Metadata is damaged, and is ignored")
            found = Metadata()
    try:
        labels = label_lines(text)
    except UnicodeDecodeError:
        warnings.append("its labels are not UTF-8, and are ignored")
        labels = ()
    return found._replace(labels=labels, warnings=tuple(warnings))


def _from_card(card: Any) -> Metadata:
    """Return what a model card says, without the labels.

    Raises:
        ValueError, TypeError, LookupError: it is not a card of `export.card`.
    """
    preprocessing = card["preprocessing"]
    if preprocessing["fit"] not in FITS:
        raise ValueError(f"expected the card's `fit` to be one of {', '.join(FITS)}")
    mean, std = _normalization(preprocessing["mean"], preprocessing["std"])
    return Metadata(mean=mean, std=std, fit=preprocessing["fit"], card=MappingProxyType(card))


# Field numbers of LiteRT's schema.fbs.
_MODEL_BUFFERS, _MODEL_METADATA = 4, 6
_ENTRY_NAME, _ENTRY_BUFFER = 0, 1
_BUFFER_DATA = 0
# Field numbers of TFLite Metadata's metadata_schema.fbs.
_MODEL_METADATA_SUBGRAPHS = 3
_SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS = 2, 3
_TENSOR_PROCESS_UNITS, _TENSOR_FILES = 4, 6
_UNIT_TYPE, _UNIT_OPTIONS = 0, 1
_NORMALIZATION_MEAN, _NORMALIZATION_STD = 0, 1
_FILE_NAME, _FILE_TYPE, _FILE_LOCALE = 0, 2, 3
# Values of its enums.
_IS_NORMALIZATION = 1  # ProcessUnitOptions
_IS_AXIS_LABELS = 2  # AssociatedFileType


def _from_flatbuffer(data: Buffer, files: Mapping[str, bytes]) -> tuple[Metadata, bytes]:
    """Return what the flatbuffer says, and the file of labels.

    Raises:
        struct.error, ValueError, TypeError, LookupError: it is damaged.
    """
    labels = files.get(LABELS_FILE, b"")
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    for subgraph in _subgraphs(data)[:1]:
        for image in subgraph.tables(_SUBGRAPH_INPUTS)[:1]:
            for unit in image.tables(_TENSOR_PROCESS_UNITS):
                options = unit.table(_UNIT_OPTIONS)
                if unit.byte(_UNIT_TYPE) != _IS_NORMALIZATION or options is None:
                    continue
                if means := options.floats(_NORMALIZATION_MEAN):
                    mean, std = _normalization(means, options.floats(_NORMALIZATION_STD))
        for scores in subgraph.tables(_SUBGRAPH_OUTPUTS)[:1]:
            named = [
                file
                for file in scores.tables(_TENSOR_FILES)
                if file.byte(_FILE_TYPE) == _IS_AXIS_LABELS
            ]
            # Files with a locale are translations, so they come last.
            named.sort(key=lambda file: bool(file.bytes(_FILE_LOCALE)))
            attached = (file.bytes(_FILE_NAME).decode() for file in named)
            labels = next((files[name] for name in attached if name in files), labels)
    return Metadata(mean=mean, std=std), labels


def _subgraphs(data: Buffer) -> list[Table]:
    """Return the metadata of each subgraph; an empty list if the graph carries none."""
    if data[4:8] != b"TFL3":
        return []
    from edge_runtime.inference.flatbuffer import Table

    model = Table.root(data)
    for entry in model.tables(_MODEL_METADATA):
        if entry.bytes(_ENTRY_NAME) == b"TFLITE_METADATA":
            buffer = model.tables(_MODEL_BUFFERS)[entry.u32(_ENTRY_BUFFER)]
            return Table.root(buffer.bytes(_BUFFER_DATA)).tables(_MODEL_METADATA_SUBGRAPHS)
    return []


def _normalization(mean: Any, std: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    mean, std = tuple(float(value) for value in mean), tuple(float(value) for value in std)
    if not (mean and std and all(map(math.isfinite, mean + std)) and all(std)):
        raise ValueError(f"expected means and deviations, none 0, but got {mean} and {std}")
    return mean, std
