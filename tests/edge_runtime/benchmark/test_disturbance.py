"""Detect what disturbs a run, on this machine and on made-up ones."""

import json
import subprocess
import sys
import time

import pytest

from edge_runtime.benchmark.disturbance import Conditions, Watch
from tests.edge_runtime.support.test_environment import machine

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
BUSY = "print(flush=True)\nwhile 1: pass"


def spin(seconds: float) -> None:
    """Use so many seconds of CPU time, however long that takes on a loaded machine."""
    ends = time.process_time() + seconds
    while time.process_time() < ends:
        pass


def busy_ticks(ticks: int, *, stolen: int = 0) -> str:
    return f"cpu  {ticks} 0 0 1000 5 0 0 {stolen} 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0"


@pytest.fixture
def busy_loop():
    process = subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE)
    process.stdout.readline()
    yield
    process.kill()
    process.communicate()


@linux
def test_a_busy_loop_is_seen(busy_loop):
    watch = Watch()
    spin(1)
    conditions = watch.stop()
    assert conditions.others_cores > 0.4  # a whole core on an idle machine
    assert conditions.disturbed
    assert conditions.sentence.startswith("Disturbed: other programs kept ")


def child(seconds: float) -> None:
    code = f"import time\nwhile time.process_time() < {seconds}: pass"
    subprocess.run([sys.executable, "-c", code], check=True)


@linux
@pytest.mark.parametrize("work", [spin, child])
def test_the_work_of_this_process_and_its_children_is_no_disturbance(tmp_path, clock, work):
    root = machine(tmp_path, {"proc/stat": busy_ticks(1000)})
    watch = Watch(root, clock=clock)
    work(0.3)
    clock.advance(2)
    machine(root, {"proc/stat": busy_ticks(1000 + 400, stolen=50)})
    conditions = watch.stop()
    assert conditions.seconds == pytest.approx(2)
    assert conditions.own_cores >= 0.9 * 0.3 / 2
    # 400 ticks are 4 s of CPU time in 2 s.
    assert conditions.others_cores == pytest.approx(4 / 2 - conditions.own_cores)
    assert conditions.stolen_cores == pytest.approx(0.5 / 2)
    assert "other programs kept" in conditions.sentence
    assert "the hypervisor withheld" in conditions.sentence


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "no /proc"),
        ({"proc/stat": "no numbers"}, "another format"),
        ({"proc/stat": busy_ticks(0)}, "a sandbox that does not count"),
    ],
)
def test_what_is_unknown_is_not_guessed(tmp_path, clock, files, why):
    watch = Watch(machine(tmp_path, files), clock=clock)
    spin(0.1)
    clock.advance(1)
    conditions = watch.stop()
    assert (conditions.others_cores, conditions.disturbed) == (None, None), why
    assert "unknown" in conditions.sentence


def test_a_short_run_is_not_judged(tmp_path, clock):
    watch = Watch(machine(tmp_path, {"proc/stat": busy_ticks(0)}), clock=clock)
    clock.advance(0.1)
    machine(tmp_path, {"proc/stat": busy_ticks(100)})
    conditions = watch.stop()
    assert conditions.others_cores is None
    assert conditions.sentence.endswith("used the CPU: the run was too short.")


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("sys/fs/cgroup/cpu.stat", "throttled_usec 1000", "usage_usec 5\nthrottled_usec 501000"),
        ("sys/fs/cgroup/cpu/cpu.stat", "throttled_time 0", "throttled_time 500000000"),
    ],
)
def test_a_container_s_quota(tmp_path, clock, path, before, after):
    watch = Watch(machine(tmp_path, {path: before}), clock=clock)
    clock.advance(10)
    machine(tmp_path, {path: after})
    conditions = watch.stop()
    assert conditions.quota_s == pytest.approx(0.5)
    assert conditions.disturbed
    assert "quota stopped it for 0.5 s" in conditions.sentence


def test_throttling_that_begins_during_the_run(tmp_path):
    events = "sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    cooling = "sys/class/thermal/cooling_device0"
    root = machine(
        tmp_path, {events: "7", f"{cooling}/type": "cpufreq-cpu0", f"{cooling}/cur_state": "0"}
    )
    assert Watch(root).stop().throttled == ()
    watch = Watch(root)
    machine(root, {events: "8", f"{cooling}/cur_state": "1"})
    conditions = watch.stop()
    assert conditions.throttled == ("cooling by cpufreq-cpu0", "thermal throttling")
    assert "slowed down (cooling by cpufreq-cpu0, thermal throttling)" in conditions.sentence


def test_a_quiet_run_says_so_and_the_record_is_json():
    conditions = Conditions(2.0, 1.0, 0.02, 0.0, 0.0, (), 0.5, 0.6)
    assert conditions.disturbed is False
    assert conditions.sentence == "Undisturbed: other programs kept 0.02 cores busy."
    record = json.loads(json.dumps(conditions.record()))
    assert record["disturbed"] is False
    assert (record["load_before"], record["load_after"]) == (0.5, 0.6)
