"""What `edge-classify --info` prints: what a model file says about itself, and what runs it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_runtime.errors import ModelError
from edge_runtime.inference import shipped
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.inference.model import Model
from edge_runtime.inference.sidecar import recorded, sidecar
from edge_runtime.support.console import one_line

_MOST_ITEMS = 10
_LEFT_OUT = ("classes", "preprocessing", "second_opinions")  # said in other lines
_MAGIC = b"TFL3"  # LiteRT's file identifier, which follows the first offset


def describe(
    model: str,
    *,
    as_json: bool = False,
    delegate: str | None = None,
    threads: int | None = None,
    gpu_precision: str = "fp32",
) -> str:
    """Return what a model file says about itself, as one line of JSON or as text.

    Args:
        model: a .tflite file, or the name of a shipped model.
        as_json: return JSON.
        delegate: also load the model on this delegate and say what runs it; None does not load it.
        threads: CPU threads for that; see `edge_runtime.inference.model.Model`.
        gpu_precision: what the GPU computes in, `fp32` or `fp16`.

    Raises:
        ModelError: there is no such file, or it is not a .tflite model.
        DelegateError: the delegate is not available or does not take the model.
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
    fields: dict[str, Any] = {
        "model": str(path),
        "bytes": size,
        "labels": metadata.labels,
        "mean": metadata.mean,
        "std": metadata.std,
        "fit": metadata.fit,
        "card": dict(metadata.card),
    }
    measured, left_out = recorded(path, metadata.card)
    if warnings := metadata.warnings + left_out:
        fields["warnings"] = warnings
    if measured is not metadata.card.get("acceptance"):  # it replaces what the card says
        fields |= {"acceptance": measured, "acceptance_file": str(sidecar(path))}
    if delegate is not None:
        fields["placement"] = _placement(path, delegate, threads, gpu_precision)
    return json.dumps(fields) if as_json else _text(fields)


def _placement(
    path: Path, delegate: str, threads: int | None, gpu_precision: str
) -> dict[str, Any]:
    with Model(path, delegate=delegate, threads=threads, gpu_precision=gpu_precision) as loaded:
        return {"requested": delegate, **loaded.placement._asdict(), "reason": loaded.reason}


def _text(fields: dict[str, Any]) -> str:
    elsewhere = ("card", "placement", "acceptance", "acceptance_file")
    lines = {key: value for key, value in fields.items() if key not in elsewhere}
    lines["bytes"] = f"{fields['bytes']:,}"
    if "warnings" in fields:
        lines["warnings"] = "; ".join(fields["warnings"])
    lines["labels"] = ", ".join(fields["labels"]) or "none in the file"
    # The card repeats the labels as classes, and the pre-processing that stands above.
    card = fields["card"].items()
    lines |= {key: _short(value) for key, value in card if key not in _LEFT_OUT}
    if "acceptance" in fields:
        lines["acceptance"] = _short(fields["acceptance"])
        lines["acceptance file"] = fields["acceptance_file"]
    lines["second opinion"] = _second_opinions(fields["card"].get("second_opinions"))
    if "placement" in fields:
        placement = fields["placement"]
        lines |= {key: placement[key] for key in ("delegate", "threads")}
        lines["delegated"] = f"{placement['delegated']} of {placement['operations']} operations"
        lines["outside"] = " ".join(placement["outside"]) or "none"
        lines["reason"] = placement["reason"] or None
    return "\n".join(
        f"{f'{one_line(key)}:':<19} {one_line(_phrase(value))}"
        for key, value in lines.items()
        if value is not None
    )


def _second_opinions(entries: Any) -> str | None:
    """Return what a card says about second models; None if nothing, or if it is another tool's."""
    try:
        return "; ".join(
            f"{entry['name']} below {entry['unsure_below']:.3f}, asked about {entry['asked']:.1%} "
            f"of {entry['measured_on']}"
            for entry in entries.values()
        )
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _short(value: Any) -> Any:
    """Return a value of the card without its long lists and tables, which JSON has."""
    if isinstance(value, list) and (
        len(value) > _MOST_ITEMS or any(isinstance(item, list) for item in value)
    ):
        return None
    if not isinstance(value, Mapping):
        return value
    kept = {key: _short(item) for key, item in value.items()}
    return {key: item for key, item in kept.items() if item not in (None, {})} or None


def _phrase(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_phrase(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return " ".join(map(_phrase, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
