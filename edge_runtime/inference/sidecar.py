"""The file beside a model that holds what was measured: `MODEL.tflite.acceptance.json`.

It replaces the model card's `acceptance`, which `edge_runtime.inference.acceptance` describes, and
holds the SHA-256 of the model with which it was measured.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_runtime.errors import OptionError, OutputError
from edge_runtime.inference import shipped
from edge_runtime.inference.acceptance import has_threshold

SIDECAR = ".acceptance.json"  # follows the name of the model file


def sidecar(model: Path) -> Path:
    """Return the file beside a model that may hold what was measured.

    If a link has none beside it, that is the file beside the model to which the link leads.
    """
    beside = model.with_name(model.name + SIDECAR)
    if model.is_symlink() and not beside.exists():
        led_to = model.resolve()
        elsewhere = led_to.with_name(led_to.name + SIDECAR)
        return elsewhere if elsewhere.exists() else beside
    return beside


def require_sidecar(model: Path, *, overwrite: bool) -> Path:
    """Return the file beside a model that `write_sidecar` may write.

    Raises:
        OutputError: the file exists and `overwrite` is not set, or cannot be written there, or the
            model is a shipped one, for which no such file is read.
    """
    from edge_runtime.support.outputs import output_file

    if shipped.is_shipped(model):
        raise OutputError(
            f"--save writes beside a model file of your own; copy {model}, and name the copy with "
            f"--model."
        )
    path = sidecar(model)
    output_file(path, subject=str(path), overwrite=True)
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists; add --overwrite to replace it.")
    return path


def write_sidecar(model: Path, measured: Mapping[str, Any], *, overwrite: bool) -> Path:
    """Write what was measured beside a model, and return the file.

    Raises:
        OutputError: as for `require_sidecar`.
        OSError: it cannot be written.
    """
    from edge_runtime.support.files import file_sha256, replacing

    path = require_sidecar(model, overwrite=overwrite)
    content = {"model_sha256": file_sha256(model), "acceptance": measured}
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(content))
    return path


def recorded(
    model: Path, card: Mapping[str, Any]
) -> tuple[Mapping[str, Any] | None, tuple[str, ...]]:
    """Return what was measured, by the file beside a model or its card; and what was left out.

    Args:
        model: its file.
        card: of the model. No file beside a shipped model is looked for.

    Raises:
        OptionError: the file beside the model is damaged.
    """
    if not shipped.is_shipped(model):
        measured = read_sidecar(model)
        if measured is not None:
            return measured, ()
        if (beside := sidecar(model)).exists():
            left_out = (
                f"{beside.name} was measured with another file and is left out; delete it, or "
                f"measure again with --judge FOLDER --save --overwrite"
            )
            return card.get("acceptance"), (left_out,)
    return card.get("acceptance"), ()


def read_sidecar(model: Path) -> dict[str, Any] | None:
    """Return the content of the file beside a model, or None if there is none of this model.

    Raises:
        OptionError: the file is damaged.
    """
    path = sidecar(model)
    try:
        found = json.loads(path.read_bytes())
        measured: dict[str, Any] = found["acceptance"]
        sha256 = found["model_sha256"]
        if not has_threshold(measured):  # without one, every best class would count
            raise ValueError
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise OptionError(
            f"{path} is damaged; delete it, and write it again with --judge FOLDER --save."
        ) from exc
    from edge_runtime.support.files import file_sha256

    return measured if sha256 == file_sha256(model) else None
