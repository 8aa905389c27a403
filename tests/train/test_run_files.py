"""What a folder with a run in it allows."""

import dataclasses
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.train.conftest import command
from tests.train.small import DATA, SHORT_SEED, write_folder
from train import run, run_files, weights


def test_finished_and_interrupted_runs_are_not_overwritten(finished, tmp_path):
    folder, _ = finished
    with pytest.raises(run_files.RunError, match="finished run; choose another --out"):
        run_files.check(folder, SHORT_SEED, resume=True)
    longer = dataclasses.replace(SHORT_SEED, epochs=3)
    with pytest.raises(run_files.RunError, match="finished run; choose another --out"):
        run_files.check(folder, longer, resume=False)
    run_files.check(folder, longer, resume=True)  # the checkpoint decides
    with pytest.raises(weights.CheckpointError, match="run with other epochs;"):
        run.train(longer, "seed", DATA, folder, seed=3)
    assert (folder / "report.json").exists()
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    (bare / "checkpoint.safetensors").unlink()
    with pytest.raises(run_files.RunError, match="finished run; choose another --out"):
        run_files.check(bare, longer, resume=True)
    (tmp_path / "checkpoint.safetensors").touch()
    with pytest.raises(run_files.RunError, match="interrupted run; --resume it"):
        run_files.check(tmp_path, SHORT_SEED, resume=False)
    run_files.check(tmp_path, SHORT_SEED, resume=True)
    assert (tmp_path / "checkpoint.safetensors").exists()


def test_two_trainings_do_not_share_a_folder(tmp_path):
    data, out = write_folder(tmp_path / "data", per_class=2, test=1), tmp_path / "run"
    arguments = ("cnn", "--recipe", "seed", "--epochs", "1", "--data", data, "--out", out)
    with run_files.locked(out):
        result = command(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
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
            pytest.raises(run_files.RunError, match="Another process is training in"),
            run_files.locked(tmp_path),
        ):
            pass
        process.kill()
        process.wait()
    with run_files.locked(tmp_path):
        pass
