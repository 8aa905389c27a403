"""Why a delegate failed, found in LiteRT's native log and exceptions."""

from __future__ import annotations

import re
from pathlib import Path


def why_not(delegate: str, path: Path, log: str, exc: Exception) -> str:
    """Return a sentence that says why `gpu` or `npu` cannot run a model.

    Args:
        delegate: `gpu` or `npu`.
        path: the model file.
        log: LiteRT's native log of the attempt.
        exc: the error that LiteRT raised.
    """
    if delegate == "npu":
        library = re.search(r"Could not load shared library .*: (\S+): cannot open", log)
        reason = f"{library[1]} is missing" if library else "no vendor's library"
        return f"No NPU is available here ({reason}); use --delegate auto or xnnpack."
    if "No adapters found" in log:
        return "No GPU is available here (no Vulkan driver); install one, or use --delegate auto."
    reason = last_complaint(log) or first_line(exc)
    return f"The {delegate} cannot run {path} ({reason}); use --delegate auto or xnnpack."


def last_complaint(log: str) -> str:
    """Return the last error in a native log without its time and source line, or ""."""
    lines = [
        line.split("] ", 1)[-1].strip()
        for line in log.splitlines()
        if line.startswith(("E0", "E1", "ERROR: [delegate"))
    ]
    return lines[-1] if lines else ""


def first_line(exc: Exception) -> str:
    """Return the first line of an error of LiteRT that is not a C++ source line."""
    lines = [line.strip("└ ") for line in str(exc).splitlines() if not line.startswith("ERROR: [")]
    return lines[0] if lines else " ".join(str(exc).split())
