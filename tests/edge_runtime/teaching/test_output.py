"""The output of `edge-teach`: it replaces no input, and is written whole or not at all."""

import os
import resource
import shutil
import subprocess
import sys

import pytest

from tests.conftest import run
from tests.edge_runtime.teaching.conftest import refused


def test_an_output_that_exists_stays(folder):
    out = folder.parent / "taught.tflite"
    out.write_text("mine")
    assert "--out taught.tflite exists; add --overwrite" in refused(folder, code=2)
    assert out.read_text() == "mine"


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_photograph_is_never_the_output(folder, options):
    before = (folder / "disc" / "00.png").read_bytes()
    refused(folder, "--out", "own/disc/00.png", *options, code=2)
    assert (folder / "disc" / "00.png").read_bytes() == before


@pytest.mark.parametrize("where", ["test", "train/../test"])
def test_a_photograph_of_the_test_is_never_the_output(folder, shapes, where):
    test = shutil.copytree(shapes, folder.parent / "test")
    (folder.parent / "train").mkdir()
    out = f"{where}/ring/01.png"
    sentence = refused(folder, "--test", "test", "--out", out, "--overwrite", code=2)
    assert "would replace" in sentence
    assert (test / "ring" / "01.png").read_bytes() == (shapes / "ring" / "01.png").read_bytes()


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("own", "is a directory; name a file in it"),
        ("missing/x.tflite", "its folder does not exist"),
        ("own/disc/00.png/x.tflite", "is a file"),
        ("/dev/null", "is not a regular file"),
        ("/proc/x.tflite", "cannot be written"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused_at_once(folder, out, why):
    assert why in refused(folder, "--out", out, "--overwrite", code=2)


@pytest.mark.parametrize("earlier", [None, b"an earlier model"])
def test_a_full_disk_leaves_what_was_there(folder, earlier):
    out = folder.parent / "taught.tflite"
    if earlier:
        out.write_bytes(earlier)
    before = sorted(folder.parent.iterdir())

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    result = run("edge-teach", "own", "--overwrite", cwd=folder.parent, preexec_fn=small_files)
    assert (result.returncode, result.stdout) == (1, "")
    assert "could not be written to" in result.stderr and "taught.tflite" in result.stderr
    assert result.stderr.count("\n") == 1
    assert sorted(folder.parent.iterdir()) == before
    assert earlier is None or out.read_bytes() == earlier


STOPPED = """
import os, signal, sys
from edge_runtime.teaching import cli

class Stopping(cli.Bar):
    count = 0
    def read(self, *, failed):
        Stopping.count += 1
        if WHEN == Stopping.count:
            os.kill(os.getpid(), signal.SIGNAL)
    def stage(self, name):
        if WHEN == name:
            os.kill(os.getpid(), signal.SIGNAL)

cli.Bar = Stopping
cli.main()
"""


@pytest.mark.parametrize(
    ("signal", "when"),
    [("SIGINT", 5), ("SIGINT", "cross-validating"), ("SIGINT", "writing"), ("SIGTERM", "fitting")],
)
def test_a_stopped_run_writes_nothing_and_can_be_started_again(
    folder, shapes_model, tmp_path, signal, when
):
    path, _ = shapes_model
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = STOPPED.replace("WHEN", repr(when)).replace("SIGNAL", signal)
    result = run("-c", program, "own", cwd=tmp_path, env=environment)
    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr.startswith("edge-teach: stopped; no model was written, ")
    assert result.stderr.count("\n") == 1
    assert {p.name for p in tmp_path.iterdir()} == {"own", "cache"}
    again = run("edge-teach", "own", cwd=tmp_path, env=environment)
    assert (again.returncode, again.stderr) == (0, "")
    assert (tmp_path / "taught.tflite").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "| head -c 1"])
def test_a_closed_output_does_not_lose_the_model(folder, redirection):
    command = f"edge-teach own {redirection}"
    environment = {
        **os.environ,
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",  # noqa: PTH120
    }
    result = subprocess.run(
        ["sh", "-c", command], cwd=folder.parent, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert (folder.parent / "taught.tflite").stat().st_size > 3_000_000


def test_a_full_standard_output_is_an_error_but_the_model_is_written(folder):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        result = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "edge-teach"), "own"],  # noqa: PTH118, PTH120
            cwd=folder.parent,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert result.returncode == 1
    assert "could not be written" in result.stderr and "Traceback" not in result.stderr
    assert (folder.parent / "taught.tflite").exists()
