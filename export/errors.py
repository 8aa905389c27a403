"""What an export can fail with, besides the errors of `train` and `edge_runtime`."""

from __future__ import annotations


class CalibrationError(Exception):
    """Calibration images are missing, damaged, or images that judge the result."""


class CalibrationOptionError(CalibrationError):
    """`--calibration` asks for images that cannot exist, whatever the files contain."""


class ExportError(Exception):
    """The file was not written: it is not good enough, or it needs a data set."""
