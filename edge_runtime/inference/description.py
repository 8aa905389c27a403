"""The description of a model file that `edge-classify --info` prints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_runtime.errors import ModelError
from edge_runtime.inference import shipped
from edge_runtime.inference.metadata import Metadata, read_metadata

_MAGIC = b"TFL3"  # LiteRT's file identifier, which follows the first offset


def info(model: str, *, as_json: bool = False) -> str:
    """Return a description of a model file, as JSON on one line or as text.

    Args:
        model: path of a .tflite file, or name of a shipped model.
        as_json: whether to return JSON.

    Raises:
        ModelError: there is no such file, it is not a .tflite model, or its metadata is damaged.
    """
    path = shipped.find(model)
    try:
        with path.open("rb") as stream:
            magic = stream.read(8)[4:]
        if magic != _MAGIC:
            raise ModelError(f"{path} is not a .tflite model; expected one exported by LiteRT.")
        metadata, size = read_metadata(path), path.stat().st_size
    except OSError as exc:
        raise ModelError(f"The model {path} cannot be read ({exc.strerror}).") from exc
    return (_json if as_json else _text)(path, size, metadata)


def _json(path: Path, size: int, metadata: Metadata) -> str:
    return json.dumps(
        {
            "model": str(path),
            "bytes": size,
            "labels": metadata.labels,
            "mean": metadata.mean,
            "std": metadata.std,
            "fit": metadata.fit,
            "card": dict(metadata.card),
        }
    )


def _text(path: Path, size: int, metadata: Metadata) -> str:
    lines: dict[str, Any] = {
        "model": str(path),
        "bytes": f"{size:,}",
        "labels": ", ".join(metadata.labels) or "none in the file",
        "mean": metadata.mean,
        "std": metadata.std,
        "fit": metadata.fit,
    }
    # The lines above show these already: classes are the labels, pre-processing is mean, std, fit.
    lines |= {k: v for k, v in metadata.card.items() if k not in ("classes", "preprocessing")}
    return "\n".join(
        f"{f'{key}:':<19} {_phrase(value)}" for key, value in lines.items() if value is not None
    )


def _phrase(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_phrase(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(_phrase, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
