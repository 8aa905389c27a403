"""The lock of a run's folder, and what a start without a finished epoch leaves."""

import subprocess
import sys

import pytest

from edge_runtime.errors import OutputError
from tests.conftest import ROOT
from tests.train.conftest import command
from tests.train.small import write_folder
from train import run_files


def test_two_trainings_do_not_share_a_folder(tmp_path):
    data, out = write_folder(tmp_path / "data", per_class=2, test=1), tmp_path / "run"
    arguments = ("cnn", "--recipe", "seed", "--epochs", "1", "--data", data, "--out", out)
    with run_files.locked(out):
        result = command(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    expected = f"Another process is training in {out}; choose another --out."
    assert result.stderr == f"train: {expected}\n"
    assert command(*arguments).exit_code == 0


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL does not exist there")
def test_a_killed_process_leaves_no_lock(tmp_path):
    holder = (
        "import sys; from pathlib import Path; from train.run_files import locked\n"
        "with locked(Path(sys.argv[1])):\n"
        "    print('locked', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, tmp_path],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "locked\n"
        with (
            pytest.raises(OutputError, match="Another process is training in"),
            run_files.locked(tmp_path),
        ):
            pass
        process.kill()
        process.wait()
    with run_files.locked(tmp_path):
        pass


def test_a_start_without_an_epoch_leaves_no_folder(tmp_path):
    run_dir = tmp_path / "runs" / "cnn"
    with pytest.raises(ZeroDivisionError), run_files.locked(run_dir):
        run_files.teacher_scores(run_dir, 0).touch()
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []


def test_a_start_leaves_the_files_that_it_did_not_make(tmp_path):
    (tmp_path / "runs").mkdir()
    with run_files.locked(tmp_path / "runs"):
        (tmp_path / "runs" / "teacher-notes.npy").touch()
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["teacher-notes.npy"]
    (tmp_path / "empty").mkdir()
    with run_files.locked(tmp_path / "empty"):
        pass
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_finished_epoch_is_kept(tmp_path):
    run_dir = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt), run_files.locked(run_dir):
        (run_dir / "checkpoint.safetensors").touch()
        run_files.teacher_scores(run_dir, 0).touch()
        raise KeyboardInterrupt
    kept = {path.name for path in run_dir.iterdir()} - {".lock"}
    assert kept == {"checkpoint.safetensors", "teacher-0.npy"}
