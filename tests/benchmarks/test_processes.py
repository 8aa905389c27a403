import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.processes import descendants, peak_resident_mib, pss_mib

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")


def test_pss_is_a_part_of_the_resident_set():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident_mib = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    assert 0.2 * resident_mib < pss_mib(os.getpid()) <= 1.2 * resident_mib


def test_a_process_that_has_ended_takes_no_memory():
    assert pss_mib(2**22 + 1) == 0  # above any process id


def test_descendants_include_grandchildren():
    code = (
        "import subprocess, sys; sleep = [sys.executable, '-c', 'input()'];"
        "child = subprocess.Popen(sleep); print(child.pid, flush=True); child.wait()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        grandchild = int(child.stdout.readline())
        assert {child.pid, grandchild} <= set(descendants(os.getpid()))
        child.stdin.close()


def test_the_peak_of_a_process_stays_when_memory_is_freed():
    code = "block = bytearray(2**26); del block; print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        child.stdout.readline()
        assert pss_mib(child.pid) < 64 < peak_resident_mib(child.pid) < 128
        child.stdin.close()
    assert peak_resident_mib(2**22 + 1) == 0
