"""Whether something else used the CPU, on this very machine and on made-up ones."""

import json
import subprocess
import sys
import time

import pytest

from edge_runtime.benchmark.disturbance import Conditions, Watch
from tests.edge_runtime.benchmark.test_environment import machine

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
BUSY = "print(flush=True)\nwhile 1: pass"


def spin(seconds: float) -> None:
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
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
    assert conditions.others_cores > 0.4  # a whole core, where one is to be had
    assert conditions.disturbed
    assert conditions.sentence.startswith("Disturbed: other programs kept ")


def child(seconds: float) -> None:
    code = f"import time\nwhile time.process_time() < {seconds}: pass"
    subprocess.run([sys.executable, "-c", code], check=True)


@linux
@pytest.mark.parametrize("work", [spin, child])
def test_one_s_own_work_and_that_of_one_s_children_is_no_disturbance(tmp_path, work):
    root = machine(tmp_path, {"proc/stat": busy_ticks(1000)})
    watch = Watch(root)
    started = time.process_time()
    work(0.3)
    own_s = 0.3 if work is child else time.process_time() - started
    machine(root, {"proc/stat": busy_ticks(1000 + 200, stolen=50)})
    conditions = watch.stop()
    assert conditions.own_cores * conditions.seconds >= 0.9 * own_s > 0.05
    assert conditions.others_cores == pytest.approx(
        2 / conditions.seconds - conditions.own_cores, rel=1e-6
    )
    assert conditions.stolen_cores == pytest.approx(0.5 / conditions.seconds)
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
def test_what_is_unknown_is_not_guessed(tmp_path, files, why):
    watch = Watch(machine(tmp_path, files))
    spin(0.3)
    conditions = watch.stop()
    assert (conditions.others_cores, conditions.disturbed) == (None, None), why
    assert "unknown" in conditions.sentence


def test_a_moment_is_too_short_to_tell(tmp_path):
    watch = Watch(machine(tmp_path, {"proc/stat": busy_ticks(0)}))
    machine(tmp_path, {"proc/stat": busy_ticks(100)})
    conditions = watch.stop()
    assert conditions.others_cores is None
    assert conditions.sentence.endswith("unknown: the run was too short.")


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("sys/fs/cgroup/cpu.stat", "throttled_usec 1000", "usage_usec 5\nthrottled_usec 501000"),
        ("sys/fs/cgroup/cpu/cpu.stat", "throttled_time 0", "throttled_time 500000000"),
    ],
)
def test_a_container_s_quota(tmp_path, path, before, after):
    watch = Watch(machine(tmp_path, {path: before}))
    machine(tmp_path, {path: after})
    conditions = watch.stop()
    assert conditions.quota_s == pytest.approx(0.5)
    assert conditions.disturbed
    assert "quota held it back for 0.5 s" in conditions.sentence


def test_throttling_that_began_meanwhile(tmp_path):
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
    assert conditions.sentence == "Undisturbed: all else kept 0.02 cores busy."
    record = json.loads(json.dumps(conditions.record()))
    assert record["disturbed"] is False
    assert (record["load_before"], record["load_after"]) == (0.5, 0.6)
