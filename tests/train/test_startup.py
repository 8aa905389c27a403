import signal
import sys

import pytest
from PIL import Image

from edge_runtime.inference import shipped
from tests.conftest import ROOT, run


@pytest.mark.skipif(sys.platform == "win32", reason="signals end processes otherwise there")
def test_ctrl_c_during_the_imports_is_one_line():
    script = (
        "import train.startup as startup\n"
        "def stop(name): raise KeyboardInterrupt\n"
        "startup.find_spec = stop\n"
        "startup.start('train')\n"
    )
    result = run("-c", script, cwd=ROOT)
    assert (result.returncode, result.stdout) == (-signal.SIGINT, "")
    assert result.stderr == "stopped; nothing was begun\n"


def test_other_errors_are_shown_whole():
    script = "import train.startup as s; s.find_spec = lambda name: 1 / 0; s.start('train')"
    result = run("-c", script, cwd=ROOT)
    assert result.returncode == 1
    assert result.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_libraries_do_not_chatter_in_our_commands(tmp_path):
    """libtiff, say, names a file that is nowhere."""
    path = tmp_path / "a.tif"
    with Image.open(shipped.samples()["cat"]) as cat:
        cat.resize((256, 256)).save(path, compression="tiff_lzw")
    damaged = bytearray(path.read_bytes())
    damaged[200:400] = bytes(range(200))
    path.write_bytes(damaged)
    read = f"from edge_runtime import load_image; load_image({str(path)!r})"
    start = "from train.startup import start; start('train'); "
    alone, ours = (run("-c", begin + read, cwd=ROOT).stderr for begin in ("", start))
    assert "tempfile.tif" in alone
    assert "tempfile.tif" not in ours
