"""Python environments on emulated Arm CPUs, in which commands run as on a Raspberry Pi.

    build/arm/
        packages/               what apt-get keeps
        sysroot/                Debian's Python and C library for arm64
        CPU/root/               links to the sysroot, and a /proc/cpuinfo of this CPU
        CPU/environment/bin     python, which starts the emulator, and the console scripts

uv asks this Python for its platform. It therefore installs what it would install on the device.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

BUILD = ROOT / "build" / "arm"
_SYSROOT = BUILD / "sysroot"
_PACKAGES = ("python3", "libstdc++6")  # apt-get adds what they depend on
_TEST_PACKAGES = ("pytest", "pytest-timeout", "hypothesis")
_WANTED = "Debian's qemu-user-static"
_EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")


class Unavailable(Exception):
    """This machine cannot emulate an Arm CPU; the message says why and what to do."""


@dataclass(frozen=True)
class Cpu:
    """An Arm CPU that the emulator knows.

    Attributes:
        name: as the emulator spells it.
        device: a computer that has this CPU.
        part: its number in /proc/cpuinfo.
        features: its list of features in /proc/cpuinfo.
    """

    name: str
    device: str
    part: str
    features: str


CPUS = (
    Cpu("cortex-a72", "Raspberry Pi 4", "0xd08", "fp asimd evtstrm crc32 cpuid"),
    Cpu(
        "cortex-a76",
        "Raspberry Pi 5",
        "0xd0b",
        "fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc "
        "dcpop asimddp",
    ),
)


def emulator() -> str:
    """Return the path of the emulator, and install it if this process may.

    Raises:
        Unavailable: the emulator is missing and cannot be installed.
    """
    if found := _emulator():
        return found
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise Unavailable(
            f"{_WANTED} is missing, and installing it takes apt-get and root; "
            f"run: sudo apt-get install qemu-user-static"
        )
    _apt("update", why=f"{_WANTED} cannot be installed")
    install = ("install", "--yes", "--no-install-recommends", "qemu-user-static")
    _apt(*install, why=f"{_WANTED} cannot be installed")
    if found := _emulator():
        return found
    raise Unavailable(f"{_WANTED} was installed, but none of {', '.join(_EMULATORS)} is there")


def build_sysroot() -> None:
    """Unpack Debian's arm64 packages into build/arm/sysroot, unless that was done before.

    Raises:
        Unavailable: apt-get, dpkg-deb or Debian's arm64 packages cannot be had.
    """
    if _SYSROOT.exists():
        return
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unavailable("apt-get and dpkg-deb are missing; run this on Debian")
    state = BUILD / "packages"
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "status").touch()  # nothing is installed, so that apt-get takes every dependency
    settings = {
        "APT::Architecture": "arm64",
        "APT::Architectures::": "arm64",
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Dir::State": state / "state",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
    }
    options = [f"--option={name}={value}" for name, value in settings.items()]
    why = "Debian's packages for arm64 cannot be downloaded"
    _apt(*options, "update", why=why)
    only = ("install", "--yes", "--no-install-recommends", "--download-only")
    _apt(*options, *only, *_PACKAGES, why=why)

    unpacked = BUILD / "sysroot.unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    for package in sorted((state / "cache" / "archives").glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", package, unpacked], check=True)
    if not (unpacked / "lib").exists():  # since Debian 13 no package has /lib
        (unpacked / "lib").symlink_to("usr/lib")
    unpacked.rename(_SYSROOT)


def build_wheel() -> Path:
    """Build this package's wheel and return its path.

    Raises:
        Unavailable: uv is missing.
        subprocess.CalledProcessError: the wheel cannot be built.
    """
    shutil.rmtree(BUILD / "wheel", ignore_errors=True)
    _uv("build", "--wheel", "--python", sys.executable, "--out-dir", BUILD / "wheel", ROOT)
    return next((BUILD / "wheel").glob("*.whl"))


def install(cpu: Cpu, emulator: str, wheel: Path) -> Path:
    """Install the wheel, its dependencies and pytest for an emulated CPU.

    Returns:
        The folder that holds the commands: `python` and the console scripts.

    Raises:
        Unavailable: uv is missing.
        subprocess.CalledProcessError: a dependency has no wheel for 64-bit Arm, or the package
            index cannot be reached.
    """
    root, environment = BUILD / cpu.name / "root", BUILD / cpu.name / "environment"
    python = (_SYSROOT / "usr" / "bin" / "python3").readlink().name
    (root / "proc").mkdir(parents=True, exist_ok=True)
    for entry in _SYSROOT.iterdir():
        link = root / entry.name
        if entry.name != "proc" and not link.is_symlink():
            link.symlink_to(Path("..", "..", _SYSROOT.name, entry.name))
    # LiteRT would read the host's file and crash.
    (root / "proc" / "cpuinfo").write_text(_cpuinfo(cpu))

    commands = environment / "bin"
    commands.mkdir(parents=True, exist_ok=True)
    (environment / "lib" / python / "site-packages").mkdir(parents=True, exist_ok=True)
    home = root / "usr" / "bin"
    (environment / "pyvenv.cfg").write_text(
        f"home = {home}\ninclude-system-site-packages = false\n"
    )
    # With this name for argv[0], Python is in `environment`, and starts its children emulated.
    script = commands / "python"
    script.write_text(
        f'#!/bin/sh\nexec "{emulator}" -cpu {cpu.name} -0 "$0" -L "{root}" "{home / python}" "$@"\n'
    )
    script.chmod(0o755)
    _uv("pip", "install", "--python", script, "--only-binary", ":all:", "--reinstall-package",
        "edge-classify", wheel, *_TEST_PACKAGES)  # fmt: skip
    return commands


def _emulator() -> str | None:
    return next((found for name in _EMULATORS if (found := shutil.which(name))), None)


def _cpuinfo(cpu: Cpu) -> str:
    fields = {
        "BogoMIPS": "108.00",
        "Features": cpu.features,
        "CPU implementer": "0x41",
        "CPU architecture": "8",
        "CPU variant": "0x0",
        "CPU part": cpu.part,
        "CPU revision": "3",
    }
    lines = "".join(f"{name}\t: {value}\n" for name, value in fields.items())
    return "".join(f"processor\t: {core}\n{lines}\n" for core in range(4))


def _apt(*arguments: str, why: str) -> None:
    result = subprocess.run(["apt-get", "--quiet", *arguments], capture_output=True, text=True)
    if result.returncode:
        last = (result.stderr.strip() or result.stdout.strip() or "no message").splitlines()[-1]
        raise Unavailable(f"{why}: {last}")


def _uv(*arguments: str | Path) -> None:
    beside = Path(sys.executable).parent / "uv"
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        raise Unavailable(f"uv is missing; run: {sys.executable} -m pip install uv")
    subprocess.run([uv, "--quiet", *arguments], check=True)
