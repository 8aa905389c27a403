import sys

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import memory


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
