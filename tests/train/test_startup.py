"""What commands do before they import TensorFlow."""

import signal
import sys

import pytest

from tests.conftest import ROOT, run


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C ends processes in another way there")
def test_ctrl_c_during_the_imports_is_one_line():
    script = (
        "import train.startup as startup\n"
        "def stop(name): raise KeyboardInterrupt\n"
        "startup.find_spec = stop\n"
        "startup.start('train')\n"
    )
    result = run("-c", script, cwd=ROOT)
    assert (result.returncode, result.stdout) == (-signal.SIGINT, "")
    assert result.stderr == "stopped before anything began\n"


def test_other_errors_keep_their_traceback():
    script = "import train.startup as s; s.find_spec = lambda name: 1 / 0; s.start('train')"
    result = run("-c", script, cwd=ROOT)
    assert result.returncode == 1
    assert result.stderr.endswith("ZeroDivisionError: division by zero\n")
