"""Why a delegate or a model failed, found in native logs and exceptions."""

from __future__ import annotations

import re
from pathlib import Path

_SOURCE_LINE = re.compile(r"(Exception from |Check '.*' failed at ).*:\d*:?$")


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


def why_not_loaded(path: Path, exc: Exception) -> str:
    """Return a sentence that says why LiteRT cannot load a model on the CPU.

    Args:
        path: the model file.
        exc: the error that LiteRT raised.
    """
    said = str(exc)
    node = _failed_operation(said)
    if custom := re.search(r"unresolved custom op: (.+?)\.?(?:\n|$)", said):
        if custom[1] == "edgetpu-custom-op":
            return (
                f"{path} is compiled for the Edge TPU (its operation is {custom[1]}); name the "
                f"TPU's library with --delegate, or use the model from before the compilation."
            )
        return (
            f"{path} needs the custom operation {custom[1]}, which LiteRT does not have; export "
            f"the model without it, or name a delegate's library that has it."
        )
    if "Flex delegate" in said:
        name = node.removeprefix("Flex")
        return (
            f"{path} needs the TensorFlow operation {name} (through Flex), which LiteRT does not "
            f"have; convert the model with LiteRT's built-in operations alone."
        )
    if newer := re.search(r"builtin opcode '(\w+)' version '(\d+)'", said):
        return (
            f"{path} needs version {newer[2]} of the operation {newer[1]}, which this LiteRT does "
            f"not have; update ai-edge-litert, or export the model for an older version."
        )
    if unknown := re.search(r"builtin_code out of range: (\d+)", said):
        return (
            f"{path} needs the operation number {unknown[1]}, which this LiteRT does not have; "
            f"update ai-edge-litert, or copy the model again."
        )
    if node:
        return f"{path} cannot be used: LiteRT refuses its operation {node}; export it again."
    return f"{path} is not a valid .tflite model; copy or export it again."


def why_not_run(path: Path, exc: Exception) -> str:
    """Return a sentence that says why a loaded model failed.

    Args:
        path: the model file.
        exc: the error that LiteRT raised.
    """
    node = _failed_operation(str(exc))
    reason = f"its operation {node} failed" if node else first_line(exc)
    return f"{path} could not be run ({reason}); export it again."


def _failed_operation(said: str) -> str:
    found = re.search(r"Node number \d+ \((.+?)\) failed", said)
    return found[1] if found else ""


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


def openvino_complaint(exc: Exception) -> str:
    """Return what an error of OpenVINO says, without the C++ source lines above it."""
    lines = [line.strip() for line in str(exc).splitlines()]
    said = [line for line in lines if line and not _SOURCE_LINE.match(line)]
    return (said[-1] if said else " ".join(lines)).rstrip(".")
