"""What the memory benchmark measures."""

import os
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PSS is Linux's")


def test_pss_is_part_of_the_resident_set():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    resident_mib = pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    assert 0.2 * resident_mib < memory.pss_mib(os.getpid()) <= 1.2 * resident_mib


def test_a_process_that_has_ended_takes_nothing():
    assert memory.pss_mib(2**22 + 1) == 0  # above any process id


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
