"""What tells one GPU driver from another, found without loading it, which takes long.

On Linux these are the manifests of the Vulkan drivers, and the versions of the kernel and of
NVIDIA's module. On Windows it is the version of each display driver. On macOS it is the system's
version, because Metal is part of the system. This file imports the standard library only.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

# Where Vulkan's loader looks for drivers, by its documentation (LoaderDriverInterface.md).
_MANIFESTS = "vulkan/icd.d"
_NAMED_BY = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
_FOLDERS = {"XDG_CONFIG_DIRS": "/etc/xdg:/etc", "XDG_DATA_DIRS": "/usr/local/share:/usr/share"}
# The class of display adapters in Windows' registry.
_DISPLAYS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"


def gpu_drivers(
    root: Path = Path("/"), environment: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """Return what identifies the installed GPU drivers; empty if there are none.

    Args:
        root: the folder that contains /etc, /sys and /usr.
        environment: may name the Vulkan drivers, and folders of theirs.
    """
    if sys.platform == "win32":
        return tuple(sorted(_display_drivers()))
    if sys.platform == "darwin":
        return (f"macOS {platform.release()}",)
    found = sorted(set(_manifests(root, environment)))
    if not found:
        return ()
    with suppress(OSError):
        version = (root / "sys/module/nvidia/version").read_text().strip()
        found.append(f"nvidia {version}")
    return (*found, f"kernel {platform.release()}")


def _manifests(root: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield name, size and time of each manifest; a package's update replaces it."""
    named = next(filter(None, map(environment.get, _NAMED_BY)), None)
    if named:
        places = [Path(place) for place in named.split(os.pathsep)]
    else:
        folders = [environment.get(name) or default for name, default in _FOLDERS.items()]
        home = Path(environment.get("HOME", "/"))
        places = [root / place.lstrip("/") for place in ":".join(folders).split(":") if place]
        places = [place / _MANIFESTS for place in (*places, home / ".local/share")]
    for place in places:
        for file in sorted(place.glob("*.json")) if place.is_dir() else [place]:
            with suppress(OSError):
                status = file.stat()
                if file.is_file():
                    yield f"{file.name} {status.st_size} {status.st_mtime_ns}"


def _display_drivers() -> list[str]:
    """Return name and version of each display driver, from Windows' registry."""
    found: list[str] = []
    if sys.platform == "win32":
        import winreg

        with suppress(OSError), winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _DISPLAYS) as displays:
            for number in range(winreg.QueryInfoKey(displays)[0]):
                with (
                    suppress(OSError),  # some entries are no display, or are protected
                    winreg.OpenKey(displays, winreg.EnumKey(displays, number)) as display,
                ):
                    name, _ = winreg.QueryValueEx(display, "DriverDesc")
                    version, _ = winreg.QueryValueEx(display, "DriverVersion")
                    found.append(f"{name} {version}")
    return found
