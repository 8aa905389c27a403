"""The arithmetic in which this machine trains at full speed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Precision = Literal["float32", "bfloat16"]

_CPU_FLAGS = {"avx512_bf16", "amx_bf16", "bf16"}  # x86-64, x86-64, Arm
CPUINFO = Path("/proc/cpuinfo")


def choose(wanted: Precision) -> tuple[Precision, str]:
    """Return bfloat16 if it is wanted and fast, otherwise float32; and the reason.

    A CPU without instructions for bfloat16 is more than ten times slower in it than in float32.
    """
    if wanted == "float32":
        return "float32", "as the recipe says"
    import keras  # here, because recipes use `Precision` and need no Keras

    if any(device.startswith(("gpu", "tpu")) for device in keras.distribution.list_devices()):
        return "bfloat16", "as the recipe says"
    try:
        flags = set(CPUINFO.read_text().split())
    except OSError:
        flags = set()
    found = sorted(flags & _CPU_FLAGS)
    if found:
        return "bfloat16", f"as the recipe says, and the CPU has {found[0]}"
    return "float32", "because this CPU has no instructions for the recipe's bfloat16"
