"""Where a run may begin: no file is lost, and nothing is written among sources."""

import dataclasses
import shutil
import sys

import pytest

from edge_runtime.errors import OutputError, ResumeError
from tests.conftest import ROOT
from tests.train.conftest import command
from tests.train.small import DATA, SHORT_SEED, write_folder
from train import run
from train.run_checks import check


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_finished_and_interrupted_runs_are_not_overwritten(finished, tmp_path):
    folder, _ = finished
    with pytest.raises(OutputError, match="finished run; choose another --out"):
        check(folder, SHORT_SEED, resume=True)
    longer = dataclasses.replace(SHORT_SEED, epochs=3)
    with pytest.raises(OutputError, match="finished run; choose another --out"):
        check(folder, longer)
    check(folder, longer, resume=True)  # the checkpoint decides
    with pytest.raises(ResumeError, match="run with other epochs;"):
        run.train(longer, "seed", DATA, folder, seed=3)
    assert (folder / "report.json").exists()
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    (bare / "checkpoint.safetensors").unlink()
    with pytest.raises(OutputError, match="finished run; choose another --out"):
        check(bare, longer, resume=True)
    stopped = tmp_path / "stopped"
    shutil.copytree(folder, stopped)
    (stopped / "report.json").unlink()
    with pytest.raises(OutputError, match="interrupted run; --resume it"):
        check(stopped, SHORT_SEED)
    check(stopped, SHORT_SEED, resume=True)
    check(stopped, SHORT_SEED, overwrite=True)


def test_there_must_be_something_to_resume(tmp_path):
    with pytest.raises(ResumeError, match="typo does not exist, so there is nothing to resume"):
        check(tmp_path / "typo", SHORT_SEED, resume=True)
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(ResumeError, match="holds no run to resume; correct --out, or omit"):
        check(tmp_path, SHORT_SEED, resume=True)
    data = write_folder(tmp_path / "data", per_class=2, test=1)
    result = command("cnn", "--resume", "--out", tmp_path / "typo", "--data", data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"train: {tmp_path / 'typo'} does not exist, so there is nothing to resume; correct --out, "
        f"or omit --resume to start a run there.\n"
    )
    assert not (tmp_path / "typo").exists()


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "name",
    ["thesis.txt", "weights.safetensors", "report.json", "checkpoint.safetensors", "teacher-a.npy"],
)
def test_a_folder_of_other_files_is_refused(tmp_path, name, overwrite):
    """A file may have the name of one of a run's without being it."""
    (tmp_path / name).write_text("{}")
    with pytest.raises(OutputError, match=f"holds {name}, but no run that can be read"):
        check(tmp_path, SHORT_SEED, overwrite=overwrite)
    assert (tmp_path / name).read_text() == "{}"


def test_what_a_killed_start_leaves_is_in_nobodys_way(tmp_path):
    names = (".lock", "teacher-0.npy", ".checkpoint.safetensors.0a1b2c3d.safetensors", ".DS_Store")
    for name in names:
        (tmp_path / name).touch()
    check(tmp_path, SHORT_SEED)


def test_files_added_to_a_run_do_not_bar_it(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    (folder / "notes.txt").touch()
    check(folder, SHORT_SEED, overwrite=True)


def test_an_input_is_never_replaced(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    (tmp_path / "link").symlink_to(folder / "weights.safetensors")
    data = write_folder(tmp_path / "data", per_class=2, test=1)
    before = contents(folder)
    for option, network in (("--weights", "resnet18"), ("--teacher", "cnn")):
        for path in (folder / "weights.safetensors", tmp_path / "link"):
            arguments = ("--data", data, "--out", folder, "--overwrite", option, path)
            result = command(network, *arguments)
            assert result.exit_code == 2
            assert f"would replace {path}, which is an input" in result.stderr
    assert contents(folder) == before


@pytest.mark.parametrize("out", ["", "run", "train/run", "train/dark"])
def test_a_run_is_not_written_among_data(tmp_path, monkeypatch, out):
    data = write_folder(tmp_path / "data", per_class=2, test=1)
    before = contents(data)
    result = command("cnn", "--recipe", "seed", "--data", data, "--out", data / out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--out {data / out} is inside the data folder {data}" in result.stderr
    monkeypatch.setenv("EDGE_CIFAR10", str(data))
    assert "is inside the data folder" in command("cnn", "--out", data / out).stderr
    assert contents(data) == before


def test_the_default_folder_is_found_beside_data_in_the_current_one(tmp_path, monkeypatch):
    data = write_folder(tmp_path / "data", per_class=2, test=1)
    monkeypatch.chdir(data)
    result = command("cnn", "--recipe", "seed", "--epochs", "1", "--data", ".")
    assert result.exit_code == 0, result.stderr
    assert (data / "runs" / "cnn-seed-1-epochs" / "report.json").exists()
    monkeypatch.chdir(data / "train")  # there, runs/ would be a class
    result = command("cnn", "--recipe", "seed", "--epochs", "1", "--data", "..")
    assert result.exit_code == 2
    assert "is inside the data folder" in result.stderr
    assert not (data / "train" / "runs").exists()


@pytest.mark.parametrize("out", ["train", "train/checkpoints", "edge_runtime/models/run", "docs/x"])
def test_a_run_is_not_written_among_the_packages_sources(out):
    with pytest.raises(OutputError, match="is inside the source folder"):
        check(ROOT / out, SHORT_SEED, overwrite=True)
    check(ROOT / "runs" / "a-run-that-nobody-has", SHORT_SEED)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    for out in ("file", "file/run", "dangling"):
        with pytest.raises(OutputError, match="is not a folder; name another folder"):
            check(tmp_path / out, SHORT_SEED)


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions")
def test_a_folder_that_may_not_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(OutputError, match="is not writable; name another folder"):
        check(tmp_path / "run", SHORT_SEED)
