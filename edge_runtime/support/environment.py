"""Describe the machine and its software, as a record beside every measurement.

Most of it comes from Linux's /proc and /sys. What they do not report is None, never a guess. This
file imports the standard library and `cores` only.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edge_runtime.support.cores import usable_cores

_PACKAGES = ("edge-classify", "ai-edge-litert", "openvino", "numpy", "pillow")

# Instruction sets that LiteRT has kernels for, by their names in /proc/cpuinfo.
_INSTRUCTIONS = (
    *("sse4_1", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512vl"),
    *("avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16"),
    *("neon", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "sme"),
)

# Arm's own cores by part number, because Linux does not report their names. The numbers are from
# Arm's reference manuals, as in lscpu of util-linux.
_ARM = "0x41"
_ARM_PARTS = {
    "0xc07": "Cortex-A7",
    "0xc08": "Cortex-A8",
    "0xc09": "Cortex-A9",
    "0xd03": "Cortex-A53",
    "0xd04": "Cortex-A35",
    "0xd05": "Cortex-A55",
    "0xd07": "Cortex-A57",
    "0xd08": "Cortex-A72",
    "0xd09": "Cortex-A73",
    "0xd0a": "Cortex-A75",
    "0xd0b": "Cortex-A76",
    "0xd0c": "Neoverse-N1",
    "0xd40": "Neoverse-V1",
    "0xd41": "Cortex-A78",
    "0xd42": "Cortex-A78AE",
    "0xd46": "Cortex-A510",
    "0xd47": "Cortex-A710",
    "0xd49": "Neoverse-N2",
    "0xd4f": "Neoverse-V2",
    "0xd80": "Cortex-A520",
    "0xd81": "Cortex-A720",
}

# Bits of a Raspberry Pi's `get_throttled`, from the documentation of vcgencmd. The bits for events
# since the start of the system are 16 higher.
_PI_FLAGS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
_SINCE_BOOT = 16


class Throttling(NamedTuple):
    """What slows the CPU down, by name; both are empty if /sys does not report it.

    Attributes:
        now: 0 if this cause does not slow the CPU down at the moment.
        since_boot: number of events since the start of the system; for some causes 0 or 1.
    """

    now: Mapping[str, int]
    since_boot: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Environment:
    """A machine and its software; None: unknown.

    Attributes:
        board: name of the single-board computer.
        cpu: model of the processor.
        architecture: output of `uname -m`.
        instructions: instruction sets that LiteRT has kernels for.
        cores: number of cores that this process may use.
        cores_online: number of cores of the machine.
        governor: frequency governor of the first core.
        frequency_mhz: current frequency of the first core.
        max_frequency_mhz: highest allowed frequency of the first core.
        throttling: what slows the CPU down.
        temperature_c: temperature of the warmest sensor.
        memory_bytes: total memory.
        system: operating system and kernel.
        python: version of Python.
        packages: versions of the packages that run a model, by name.
    """

    board: str | None
    cpu: str
    architecture: str
    instructions: tuple[str, ...]
    cores: int
    cores_online: int
    governor: str | None
    frequency_mhz: float | None
    max_frequency_mhz: float | None
    throttling: Throttling
    temperature_c: float | None
    memory_bytes: int | None
    system: str
    python: str
    packages: Mapping[str, str]

    def record(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        fields = asdict(self)
        fields["throttling"] = self.throttling._asdict()
        return fields

    def lines(self) -> list[str]:
        """Return the fields as lines of text."""
        known = f"{self.frequency_mhz:,.0f}" if self.frequency_mhz else "unknown"
        if self.max_frequency_mhz:
            known += f" of {self.max_frequency_mhz:,.0f}"
        active = [name for name, level in self.throttling.now.items() if level]
        slowed = ", ".join(active) or ("none" if any(self.throttling) else "unknown")
        memory = f"{self.memory_bytes / 2**30:.1f} GiB" if self.memory_bytes else "memory unknown"
        warm = "" if self.temperature_c is None else f", {self.temperature_c:.0f} C"
        return [
            *([self.board] if self.board else []),
            f"{self.cpu} ({self.architecture}: {' '.join(self.instructions) or 'flags unknown'})",
            f"{self.cores} of {self.cores_online} cores, governor {self.governor or 'unknown'}, "
            f"MHz {known}, throttling {slowed}{warm}, {memory}",
            ", ".join(
                [
                    self.system,
                    f"Python {self.python}",
                    *(f"{name} {version}" for name, version in self.packages.items()),
                ]
            ),
        ]


def read_environment(root: Path = Path("/")) -> Environment:
    """Return the description of this machine.

    Args:
        root: the folder that contains /proc and /sys.
    """
    information = _read(root / "proc/cpuinfo") or ""
    frequency = root / "sys/devices/system/cpu/cpu0/cpufreq"
    now_khz = _number(frequency / "scaling_cur_freq")
    max_khz = _number(frequency / "scaling_max_freq")
    online = os.cpu_count() or 1
    return Environment(
        board=(_read(root / "proc/device-tree/model") or "").strip("\0") or None,
        cpu=_cpu(information),
        architecture=platform.machine(),
        instructions=_instructions(information),
        cores=usable_cores(),
        cores_online=online,
        governor=_read(frequency / "scaling_governor"),
        frequency_mhz=now_khz / 1000 if now_khz else _mhz(information),
        max_frequency_mhz=max_khz / 1000 if max_khz else None,
        throttling=read_throttling(root),
        temperature_c=_temperature(root),
        memory_bytes=_memory(root),
        system=_system(),
        python=platform.python_version(),
        packages=_versions(),
    )


def cpu_model(root: Path = Path("/")) -> str:
    """Return the model of the processor, or the most that the system says.

    Args:
        root: the folder that contains /proc.
    """
    return _cpu(_read(root / "proc/cpuinfo") or "")


def read_throttling(root: Path = Path("/")) -> Throttling:
    """Return what slows the CPU down: thermal events, cooling, a Raspberry Pi's flags.

    Args:
        root: the folder that contains /proc and /sys.
    """
    now: dict[str, int] = {}
    since_boot: dict[str, int] = {}
    events = [
        _number(path)
        for path in root.glob("sys/devices/system/cpu/cpu*/thermal_throttle/core_throttle_count")
    ]
    if events:
        since_boot["thermal throttling"] = sum(filter(None, events))
    for device in sorted(root.glob("sys/class/thermal/cooling_device*")):
        kind, state = _read(device / "type") or "", _number(device / "cur_state")
        # Fans are cooling devices too, but they do not slow the CPU down.
        if state is not None and kind.lower().startswith(("processor", "cpufreq", "thermal-cpu")):
            now[f"cooling by {kind}"] = max(state, now.get(f"cooling by {kind}", 0))
    flags = _read(root / "sys/devices/platform/soc/soc:firmware/get_throttled")
    if flags:
        bits = int(flags, 16)
        for bit, name in enumerate(_PI_FLAGS):
            now[name] = bits >> bit & 1
            since_boot[name] = bits >> (bit + _SINCE_BOOT) & 1
    return Throttling(now, since_boot)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def _number(path: Path) -> int | None:
    text = _read(path)
    return int(text) if text and text.lstrip("-").isdigit() else None


def _values(information: str, key: str) -> list[str]:
    """Return all values of a key in the text of /proc/cpuinfo or /proc/meminfo."""
    pairs = (line.partition(":") for line in information.splitlines())
    return [value.strip() for name, _, value in pairs if name.strip() == key]


def _cpu(information: str) -> str:
    names = _values(information, "model name")
    makers, parts = _values(information, "CPU implementer"), _values(information, "CPU part")
    if not names and parts:  # 64-bit Arm reports no name
        names = [
            _ARM_PARTS.get(part, f"Arm part {part}")
            if maker == _ARM
            else f"implementer {maker} part {part}"
            for maker, part in zip(makers, parts, strict=False)
        ]
    kinds = dict.fromkeys(names)
    return " + ".join(kinds) or platform.processor() or platform.machine() or "unknown"


def _instructions(information: str) -> tuple[str, ...]:
    flags = _values(information, "flags") or _values(information, "Features")
    there = set(flags[0].split()) if flags else set()
    return tuple(name for name in _INSTRUCTIONS if name in there)


def _mhz(information: str) -> float | None:
    values = _values(information, "cpu MHz")
    return float(values[0]) if values else None


def _temperature(root: Path) -> float | None:
    found = [_number(path) for path in root.glob("sys/class/thermal/thermal_zone*/temp")]
    known = [millidegrees / 1000 for millidegrees in found if millidegrees is not None]
    return max(known, default=None)


def _memory(root: Path) -> int | None:
    totals = _values(_read(root / "proc/meminfo") or "", "MemTotal")
    return int(totals[0].split()[0]) * 1024 if totals else None


def _system() -> str:
    kernel = f"{platform.system()} {platform.release()}"
    if sys.platform != "linux":
        return kernel
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {kernel}"
    except (OSError, LookupError):
        return kernel


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # for example, the sources run without an installation
            continue
    return found
