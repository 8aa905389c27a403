"""Ctrl-C, which the terminal sends to the command and to its worker processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.inputs.names import Source
from edge_runtime.jobs.pool import Pool
from tests.conftest import GOLDEN
from tests.edge_runtime.jobs.test_pool import children

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
COMMAND = Path(sys.executable).parent / "edge-classify"
FROG = shipped.samples()["frog"]


def test_a_worker_ignores_it_from_its_first_moment(capfd):
    before = set(children())
    with Classifier(GOLDEN / "int8.tflite") as classifier:
        pool = Pool(classifier, processes=1, top_k=1)
    try:
        started = set(children()) - before
        for _ in range(20):  # while it imports numpy
            for pid in started:
                os.kill(pid, signal.SIGINT)
            time.sleep(0.01)
        results = list(pool.results(iter([Source(str(FROG))] * 20)))
        assert set(children()) - before == started
    finally:
        pool.close()
    assert {result.error for _, result in results} == {None}
    assert capfd.readouterr().err == ""


def test_it_ends_the_command_and_its_workers(tmp_path):
    for number in range(3000):
        (tmp_path / f"{number:05}.png").symlink_to(FROG)
    process = subprocess.Popen(
        [COMMAND, "--threads", "2", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    process.stdout.readline()
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith("edge-classify: stopped: ")
    assert errors.endswith(" images/s\n")  # nothing about a file or --resume
    assert errors.count("\n") == 1
    assert len(workers) == 2
    deadline = time.monotonic() + 10
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not any(map(is_alive, workers))


def is_alive(pid):
    """Return whether a process runs; one that ended may wait for its new parent to notice."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
