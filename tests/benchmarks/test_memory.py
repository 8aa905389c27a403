import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import memory
from benchmarks.processes import descendants


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports PSS")
def test_the_command_measures_two_folders():
    app = typer.Typer()
    app.command()(memory.main)
    result = CliRunner().invoke(app, ["--files", "3"])
    assert result.exit_code == 0
    first, second = result.output.splitlines()
    for line, files in ((first, 3), (second, 30)):
        words = line.split()
        assert (words[0], words[1]) == (str(files), "files:")
        assert 20 < int(words[4]) <= 130


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_sigterm_leaves_neither_files_nor_processes(tmp_path):
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-m", "benchmarks.memory", "--files", "3000"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    children = []
    while not children and process.poll() is None:
        time.sleep(0.01)
        children = list(descendants(process.pid))
    process.terminate()
    assert process.wait(timeout=60) == 130
    assert list(tmp_path.iterdir()) == []
    commands = [Path(f"/proc/{child}/cmdline") for child in children]
    assert not any(path.exists() and path.read_bytes() for path in commands)  # a zombie has none
