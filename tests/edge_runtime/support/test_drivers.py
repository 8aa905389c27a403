import os
import platform
import sys
from types import SimpleNamespace

import pytest

from edge_runtime.support.drivers import gpu_drivers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these are Linux's folders")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "usr/share/vulkan/icd.d"
    folder.mkdir(parents=True)
    (folder / "radeon_icd.json").write_text('{"ICD": {"api_version": "1.3.0"}}')
    return tmp_path


def drivers(root, **environment):
    return gpu_drivers(root, {"HOME": str(root / "home"), **environment})


def test_a_machine_without_drivers_has_none(tmp_path):
    assert drivers(tmp_path) == ()


def test_a_vulkan_driver_is_told_by_its_manifest_and_the_kernel(root):
    manifest, kernel = drivers(root)
    assert manifest.startswith("radeon_icd.json 33 ")
    assert kernel == f"kernel {platform.release()}"


def test_an_updated_manifest_is_another_driver(root):
    before = drivers(root)
    manifest = root / "usr/share/vulkan/icd.d/radeon_icd.json"
    os.utime(manifest, ns=(0, manifest.stat().st_mtime_ns + 1))
    assert drivers(root) != before


def test_nvidias_module_has_a_version_of_its_own(root):
    module = root / "sys/module/nvidia"
    module.mkdir(parents=True)
    (module / "version").write_text("550.54.14\n")
    assert "nvidia 550.54.14" in drivers(root)


def test_users_drivers_count_too(root):
    folder = root / "home/.local/share/vulkan/icd.d"
    folder.mkdir(parents=True)
    (folder / "own.json").write_text("{}")
    assert [name.split()[0] for name in drivers(root)] == ["own.json", "radeon_icd.json", "kernel"]


@pytest.mark.parametrize("variable", ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"])
def test_the_environment_may_name_the_drivers(root, variable):
    named = root / "mine.json"
    named.write_text("{}")
    found = drivers(root, **{variable: f"{named}:{root / 'gone.json'}"})
    assert [name.split()[0] for name in found] == ["mine.json", "kernel"]


def test_on_macos_the_driver_is_part_of_the_system(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert drivers(tmp_path) == (f"macOS {platform.release()}",)


class FakeKey:
    """A key of Windows' registry."""

    def __init__(self, values, keys=()):
        self.values, self.keys = values, dict(keys)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        pass


def test_on_windows_the_registry_has_the_drivers(monkeypatch, tmp_path):
    display = FakeKey({"DriverDesc": "Arc A380", "DriverVersion": "32.0.101.5768"})
    displays = FakeKey({}, {"0000": display, "Configuration": FakeKey({})})

    def open_key(parent, name):
        return displays if parent == "machine" else parent.keys[name]

    def query(key, name):
        if name not in key.values:
            raise FileNotFoundError(name)
        return key.values[name], 1

    winreg = SimpleNamespace(
        HKEY_LOCAL_MACHINE="machine",
        OpenKey=open_key,
        QueryInfoKey=lambda key: (len(key.keys), 0, 0),
        EnumKey=lambda key, number: list(key.keys)[number],
        QueryValueEx=query,
    )
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "winreg", winreg)
    assert drivers(tmp_path) == ("Arc A380 32.0.101.5768",)
