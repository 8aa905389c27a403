"""What tests share: paths, running commands, and the full data set if it is available."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"
SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")  # part of Debian's chromium


def run(*command: str | os.PathLike, **options) -> subprocess.CompletedProcess[str]:
    """Run a console script of this package, or Python with arguments, and capture the output."""
    program: list[str | os.PathLike] = [sys.executable, *command]
    if command[0] in ("edge-classify", "edge-benchmark", "edge-teach"):
        program = [Path(sys.executable).parent / command[0], *command[1:]]
    return subprocess.run(program, capture_output=True, text=True, timeout=240, **options)


def pytest_unconfigure(config):
    """Drop what TensorFlow said when it was imported, which would follow the closing line."""
    config.pluginmanager.getplugin("capturemanager").read_global_capture()


@pytest.fixture(scope="session", autouse=True)
def interruptible():
    """Restore SIGINT, which a shell's background job and its child processes ignore."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    """Keep what the runtime remembers about models out of the user's home."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def vulkan():
    """Return an environment in which the GPU delegate finds a driver, hardware or software."""
    for environment in ({}, {"VK_DRIVER_FILES": str(SWIFTSHADER)}):
        environment = {**os.environ, **environment}
        listed = run("edge-classify", "--delegates", env=environment).stdout
        if "gpu: available" in listed:
            return environment
    pytest.skip("no Vulkan driver; for one in software: apt-get install chromium libvulkan1")


@pytest.fixture(scope="session")
def taught(cache, tmp_path_factory):
    """Return the file of a model that was taught to tell drawn figures apart."""
    from tests.taught import taught_model

    return taught_model(tmp_path_factory.mktemp("taught"))


@pytest.fixture(scope="session")
def cifar10():
    """Return the full data set, from $EDGE_CIFAR10 or from shared/cifar10 beside the checkout."""
    from train.cifar10 import ENVIRONMENT_VARIABLE, load

    path = Path(
        os.environ.get(ENVIRONMENT_VARIABLE)
        or ROOT.parent / "shared" / "cifar10" / "cifar-10-binary.tar.gz"
    )
    if not path.exists():
        pytest.skip(f"there is no CIFAR-10 archive; set {ENVIRONMENT_VARIABLE} to its path")
    return load(path)
