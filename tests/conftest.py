"""What tests share: where things are, running commands, and the full data set where it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")  # of Debian's chromium


def run(*command: str | os.PathLike, **options) -> subprocess.CompletedProcess[str]:
    """Run a console script of ours, or a Python command, and capture what it prints."""
    program: list[str | os.PathLike] = [sys.executable, *command]
    if command[0] in ("edge-classify", "edge-benchmark"):
        program = [Path(sys.executable).parent / command[0], *command[1:]]
    return subprocess.run(program, capture_output=True, text=True, timeout=240, **options)


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """A shell's background job ignores SIGINT and so would the commands that tests interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """What the runtime remembers of models stays out of the user's home."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def vulkan():
    """The environment in which the GPU delegate finds a driver, hardware or software."""
    for environment in ({}, {"VK_DRIVER_FILES": str(SWIFTSHADER)}):
        environment = {**os.environ, **environment}
        listed = run("edge-classify", "--delegates", env=environment).stdout
        if "gpu: available" in listed:
            return environment
    pytest.skip("no Vulkan driver: apt-get install chromium libvulkan1 brings a software one")


@pytest.fixture(scope="session")
def cifar10():
    """The full data set: $EDGE_CIFAR10, or the folder shared/cifar10 beside the checkout."""
    from train.cifar10 import ENVIRONMENT_VARIABLE, load

    path = Path(
        os.environ.get(ENVIRONMENT_VARIABLE)
        or ROOT.parent / "shared" / "cifar10" / "cifar-10-binary.tar.gz"
    )
    if not path.exists():
        pytest.skip(f"the CIFAR-10 archive is not there; name it with {ENVIRONMENT_VARIABLE}")
    return load(path)
