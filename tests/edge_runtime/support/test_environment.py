"""Describe machines, from real and from made-up /proc and /sys."""

import json
import os
import platform
import sys
from pathlib import Path

import pytest

from edge_runtime.support.environment import Environment, read_environment, read_throttling

X86 = """\
processor\t: 0
model name\t: AMD EPYC
cpu MHz\t\t: 2445.404
flags\t\t: fpu sse4_1 avx avx2 fma f16c sha_ni avx512_vnni

processor\t: 1
model name\t: AMD EPYC
cpu MHz\t\t: 2000.000
flags\t\t: fpu sse4_1
"""
ARM = """\
processor\t: 0
Features\t: fp asimd aes asimdhp asimddp
CPU implementer\t: 0x41
CPU part\t: 0xd05

processor\t: 1
Features\t: fp asimd
CPU implementer\t: 0x41
CPU part\t: 0xd0b

processor\t: 2
CPU implementer\t: 0x51
CPU part\t: 0x001
"""
THERMAL = "sys/class/thermal"


def machine(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content + "\n")
    return root


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_this_machine():
    found = read_environment()
    assert found.cpu in Path("/proc/cpuinfo").read_text() or platform.machine() != "x86_64"
    assert found.instructions
    assert 1 <= found.cores <= found.cores_online == os.cpu_count()
    assert found.memory_bytes == pytest.approx(
        os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), rel=0.05
    )
    assert found.python == platform.python_version()
    assert {"ai-edge-litert", "numpy", "pillow"} <= found.packages.keys()


def test_the_record_is_json_and_complete():
    found = read_environment()
    record = json.loads(json.dumps(found.record()))
    assert record.keys() == set(Environment.__slots__)
    assert record["throttling"].keys() == {"now", "since_boot"}
    text = "\n".join(found.lines())
    assert found.cpu in text
    assert found.packages["ai-edge-litert"] in text


def test_an_intel_or_amd_machine(tmp_path):
    frequency = "sys/devices/system/cpu/cpu0/cpufreq"
    root = machine(
        tmp_path,
        {
            "proc/cpuinfo": X86,
            "proc/meminfo": "MemFree: 1 kB\nMemTotal:        4046524 kB",
            f"{frequency}/scaling_governor": "powersave",
            f"{frequency}/scaling_cur_freq": "1800000",
            f"{frequency}/scaling_max_freq": "3400000",
            f"{THERMAL}/thermal_zone0/temp": "51000",
            f"{THERMAL}/thermal_zone1/temp": "64500",
        },
    )
    found = read_environment(root)
    assert found.cpu == "AMD EPYC"
    assert found.instructions == ("sse4_1", "avx", "f16c", "fma", "avx2", "avx512_vnni")
    assert (found.governor, found.frequency_mhz, found.max_frequency_mhz) == (
        "powersave",
        1800,
        3400,
    )
    assert found.temperature_c == 64.5
    assert found.memory_bytes == 4046524 * 1024
    assert "governor powersave, MHz 1,800 of 3,400, throttling unknown, 64 C" in found.lines()[1]


def test_without_cpufreq_the_frequency_comes_from_cpuinfo(tmp_path):
    found = read_environment(machine(tmp_path, {"proc/cpuinfo": X86}))
    assert (found.governor, found.frequency_mhz, found.max_frequency_mhz) == (None, 2445.404, None)


def test_a_board_with_two_kinds_of_arm_cores_and_one_of_another_maker(tmp_path):
    root = machine(tmp_path, {"proc/cpuinfo": ARM, "proc/device-tree/model": "Raspberry Pi 9\0"})
    found = read_environment(root)
    assert found.board == "Raspberry Pi 9"
    assert found.cpu == "Cortex-A55 + Cortex-A76 + implementer 0x51 part 0x001"
    assert found.instructions == ("asimd", "asimdhp", "asimddp")
    assert found.lines()[0] == "Raspberry Pi 9"


def test_without_proc_and_sys_values_are_unknown_and_not_guessed(tmp_path):
    found = read_environment(tmp_path)
    assert found.cpu  # what Python knows
    assert found.instructions == ()
    assert (found.governor, found.frequency_mhz, found.memory_bytes, found.temperature_c) == (
        None,
        None,
        None,
        None,
    )
    text = "\n".join(found.lines())
    for unknown in ("flags unknown", "governor unknown", "MHz unknown", "throttling unknown"):
        assert unknown in text
    assert "memory unknown" in text


def test_thermal_events_are_added_up(tmp_path):
    core = "sys/devices/system/cpu/cpu{}/thermal_throttle/core_throttle_count"
    root = machine(tmp_path, {core.format(0): "3", core.format(1): "4"})
    assert read_throttling(root) == ({}, {"thermal throttling": 7})


def test_cooling_counts_and_fans_do_not(tmp_path):
    device = f"{THERMAL}/cooling_device"
    root = machine(
        tmp_path,
        {
            f"{device}0/type": "Processor",
            f"{device}0/cur_state": "0",
            f"{device}1/type": "Processor",
            f"{device}1/cur_state": "2",
            f"{device}2/type": "pwm-fan",
            f"{device}2/cur_state": "4",
        },
    )
    assert read_throttling(root).now == {"cooling by Processor": 2}
    assert "throttling cooling by Processor" in "\n".join(read_environment(root).lines())


def test_a_raspberry_pi_s_flags(tmp_path):
    path = "sys/devices/platform/soc/soc:firmware/get_throttled"
    now, since_boot = read_throttling(machine(tmp_path, {path: "50005"}))
    assert now == {
        "under-voltage": 1,
        "frequency capped": 0,
        "throttled": 1,
        "soft temperature limit": 0,
    }
    assert since_boot == now
