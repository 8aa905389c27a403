"""The files that come with the package: models, and one sample picture a class.

This file imports nothing but pathlib.
"""

from __future__ import annotations

from pathlib import Path

DEFAULT_MODEL = "cnn-int8"

MODELS = Path(__file__).parent / "models"
SAMPLES = Path(__file__).parent / "samples"


def models() -> dict[str, Path]:
    """Return the shipped .tflite files by name, `<network>-<precision>`."""
    return {path.stem: path for path in sorted(MODELS.glob("*.tflite"))}


def samples() -> dict[str, Path]:
    """Return one CIFAR-10 test image a class, by the name of its class."""
    return {path.stem: path for path in sorted(SAMPLES.glob("*.png"))}
