"""The files that come with the package: models, and one sample image a class.

Imports nothing but the standard library's paths.
"""

from __future__ import annotations

import os
from pathlib import Path

from edge_runtime.errors import ModelError

DEFAULT_MODEL = "cnn-int8"

_PACKAGE = Path(__file__).parents[1]
MODELS = _PACKAGE / "models"
SAMPLES = _PACKAGE / "samples"


def models() -> dict[str, Path]:
    """Return the shipped .tflite files by their names, `<network>-<precision>`."""
    return {path.stem: path for path in sorted(MODELS.glob("*.tflite"))}


def find(model: str | Path) -> Path:
    """Return the file of a model.

    Args:
        model: name of a shipped model, or path of a .tflite file.

    Raises:
        ModelError: it is neither.
    """
    known = models()
    if str(model) in known:
        return known[str(model)]
    path = Path(model)
    if not os.path.isfile(path):  # noqa: PTH113 - unlike Path.is_file, it never raises
        raise ModelError(
            f"There is no model {model}; expected a .tflite file or one of {', '.join(known)}."
        )
    return path


def is_shipped(path: Path) -> bool:
    """Return whether a model file, which exists, is a shipped one or a link to one."""
    return path.parent == MODELS or any(path.samefile(model) for model in models().values())


def samples() -> dict[str, Path]:
    """Return one CIFAR-10 test image for each class, by the name of the class."""
    return {path.stem: path for path in sorted(SAMPLES.glob("*.png"))}
