"""The command `python -m train`: its refusals, and what an interruption leaves."""

import dataclasses
import errno
import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT, run
from tests.train.conftest import command
from tests.train.small import write_folder, write_outliers
from train.recipes import RECIPES


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--data", "nope"], 2, "--data names nope, which does not exist"),
        (["--teacher", "nope"], 2, "--teacher names nope, which does not exist"),
        (["--teacher", "."], 2, "--teacher names ., which is a folder"),
        (["--recipe", "magic"], 2, "'magic' is not one of 'seed', 'best'"),
        (["--epochs", "0"], 2, "0 is not in the range"),
        (["--without", "cutout"], 2, "this recipe has no cutout to leave out"),
        (["--precision", "int4"], 2, "'int4' is not one of 'auto', 'float32', 'bfloat16'"),
        (["--seed", "-1"], 2, "-1 is not in the range"),
        (["--resume", "--overwrite"], 2, "expected --resume or --overwrite, but got both"),
        (["--recipe", "seed", "--teacher", "x"], 2, "--teacher: seed has no teacher"),
        (["--from", "pyproject.toml"], 2, "--from: best continues no checkpoint; use --recipe"),
        (["--recipe", "continued", "--from", "no"], 2, "--from names no, which does not exist"),
        (["--outliers", "nope"], 2, "--outliers names nope, which does not exist; name a folder"),
        (["--without", "outliers"], 2, "this recipe has no outliers to leave out"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, code, message):
    result = command("cnn", "--out", tmp_path / "run", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--recipe", "untaught"], 2, "--recipe: resnet18 has the recipes seed, best"),
        (["--sha256", "0" * 64], 2, "--sha256 requires --weights."),
        (
            ["--recipe", "continued", "--weights", "imagenet"],
            2,
            "--weights: continued continues a checkpoint; name it with --from.",
        ),
        (["--weights", "nope.safetensors"], 2, "--weights names nope.safetensors, which does not"),
        (["--weights", "pyproject.toml", "--sha256", "0"], 2, "64 hexadecimal digits, but got 0."),
        (["--weights", str(ROOT / "pyproject.toml")], 1, "is not a readable safetensors file"),
    ],
)
def test_wrong_arguments_of_resnet18(tmp_path, arguments, code, message):
    data = write_folder(tmp_path / "data", per_class=2, test=1)
    result = command("resnet18", "--out", tmp_path / "run", "--data", data, *arguments)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "run").exists()


def test_outliers_are_named_on_the_command_line(tmp_path):
    data = write_folder(tmp_path / "data", per_class=20, test=4)
    stripes = write_outliers(tmp_path / "stripes", [f"{k}.png" for k in range(30)])
    options = ("--recipe", "seed", "--epochs", "1", "--data", data, "--outliers", stripes)
    refused = command("cnn", *options, "--out", stripes / "run")
    assert refused.exit_code == 2
    assert f"is inside the outliers' folder {stripes}" in refused.stderr
    out = ("--out", tmp_path / "run", "--without", "surroundings")
    result = command("cnn", *options, *out)
    assert result.exit_code == 0, result.stderr
    assert "outliers in stripes: " in result.stdout
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["recipe_name"] == "seed-with-outliers-1-epochs-without-surroundings"
    assert (report["recipe"]["outlier_weight"], report["recipe"]["surroundings"]) == (0.5, 0)
    assert report["rejection"]["outliers"].keys() == {"stripes"}


def test_a_folder_of_outliers_in_the_data_is_learnt_from(tmp_path):
    data = write_folder(tmp_path / "data", per_class=20, test=4)
    for part in ("train", "test"):
        write_outliers(data / part / "none-of-these", [f"{k}.png" for k in range(8)])
    options = ("--recipe", "seed", "--epochs", "1", "--data", data, "--out", tmp_path / "run")
    result = command("cnn", *options)
    assert result.exit_code == 0, result.stderr
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["class_names"] == ["dark", "light"]
    assert report["outliers"] == [{"name": "none-of-these", "classes": 8, "images": 8}]
    assert report["rejection"]["outliers"]["none-of-these"]["images"] == 8


def test_efficientnet_lite0_takes_photographs_or_the_recipe_for_cifar10(tmp_path):
    refused = command("efficientnet-lite0", "--out", tmp_path / "run")
    assert refused.exit_code == 2
    assert "is fine-tuned on your own photographs" in " ".join(refused.stderr.split())


def test_a_teacher_of_other_classes_is_refused(tmp_path):
    data = write_folder(tmp_path / "data", per_class=2, test=1)
    result = command("cnn", "--out", tmp_path / "run", "--data", data)
    assert result.exit_code == 1
    assert "was trained on other classes than the data has (airplane, " in result.stderr
    assert result.stderr.endswith("with --teacher, or use --recipe untaught.\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("network", "option"), [("cnn", "--teacher"), ("resnet18", "--weights")])
def test_a_mistyped_option_costs_no_finished_run(finished, tmp_path, network, option):
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    data = write_folder(tmp_path / "data", per_class=2, test=1)
    arguments = ("--data", data, "--out", folder, "--overwrite", option, "typo.safetensors")
    result = command(network, *arguments)
    assert result.exit_code == 2
    assert f"{option} names typo.safetensors, which does not exist" in result.stderr
    assert {p.name for p in folder.iterdir()} - {".lock"} == {p.name for p in finished[0].iterdir()}


def test_a_training_that_diverges_ends_with_the_epoch_and_writes_nothing(tmp_path, monkeypatch):
    wild = dataclasses.replace(RECIPES["cnn", "untaught"], learning_rate=1e30)
    monkeypatch.setitem(RECIPES, ("cnn", "untaught"), wild)
    data = write_folder(tmp_path / "data", per_class=40, test=1)
    options = ("--recipe", "untaught", "--precision", "float32", "--data", data)
    result = command("cnn", *options, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "train: The training diverged in epoch 1: its loss is not finite"
    )
    assert "The files in" not in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["missing", "damaged"])
def test_bad_data_leaves_no_folder(tmp_path, kind):
    data = tmp_path / "data.tar.gz"
    if kind == "damaged":
        data = write_folder(tmp_path / "data", per_class=2, test=1)
        (data / "train" / "dark" / "0.png").write_bytes(b"no image")
    else:
        data.write_bytes(b"no archive")
    result = command("cnn", "--data", data, "--out", tmp_path / "runs" / "a")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Errno" not in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("there", "options", "message"),
    [
        ([], [], "stopped before the first epoch was finished; run the same command to start over"),
        (["checkpoint.safetensors"], ["--resume"], "stopped; run the same command to continue"),
        (
            ["checkpoint.safetensors"],
            ["--overwrite"],
            "stopped; run the same command with --resume instead of --overwrite to continue",
        ),
        (
            ["checkpoint.safetensors", "report.json"],
            ["--overwrite"],
            "stopped before the first epoch was finished",
        ),
    ],
)
def test_ctrl_c_says_how_to_continue(finished, tmp_path, monkeypatch, there, options, message):
    folder = tmp_path / "run"
    if there:
        folder.mkdir()
    for name in there:
        shutil.copy(finished[0] / name, folder)

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("train.run.train", stop)
    data = write_folder(tmp_path / "data", per_class=2, test=1)
    result = command("cnn", "--recipe", "seed", "--data", data, "--out", folder, *options)
    assert result.exit_code == 130
    assert result.stderr.startswith(f"train: {message}")
    assert {p.name for p in folder.glob("[!.]*")} == set(there)


def test_an_error_of_the_system_has_no_number(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "history.json")

    monkeypatch.setattr("train.run.train", full)
    data = write_folder(tmp_path / "data", per_class=2, test=1)
    result = command("cnn", "--recipe", "seed", "--data", data, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert result.stderr == (
        "train: history.json cannot be used (No space left on device); check it and its "
        "permissions.\n"
    )


@pytest.mark.parametrize("name", ["ship", "compare"])
def test_a_run_that_does_not_exist_is_a_wrong_command_line(tmp_path, name):
    result = command(name, tmp_path / "typo")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "does not exist" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_a_killed_run_resumes_and_ends_with_equal_weights(tmp_path):
    """The process gets SIGKILL, at a moment that depends on the speed of the machine."""
    data = write_folder(tmp_path / "data", per_class=40)
    arguments = ["-m", "train", "cnn", "--recipe", "seed", "--epochs", "8", "--data", data]
    whole = run(*arguments, "--out", tmp_path / "whole", cwd=ROOT)
    assert whole.returncode == 0, whole.stderr

    cut = tmp_path / "cut"
    process = subprocess.Popen(
        [sys.executable, *arguments, "--out", cut], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith("epoch 2"):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    assert not (cut / "report.json").exists()
    last = run(*arguments, "--out", cut, "--resume", cwd=ROOT)
    assert last.returncode == 0, last.stderr
    assert "resuming after epoch " in last.stdout
    name = "weights.safetensors"
    assert (cut / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize(
    ("arguments", "trainable", "others"),
    [
        (["cnn"], "551,018", "448"),
        (["resnet18"], "11,173,962", "9,600"),
        (["resnet18", "--stem", "imagenet"], "11,181,642", "9,600"),
    ],
)
def test_summary_prints_both_counts(arguments, trainable, others):
    result = command("summary", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(f" parameters: {trainable} trainable, {others} not\n")


def test_the_cnn_has_no_stem_to_choose():
    result = command("summary", "cnn", "--stem", "imagenet")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--stem: cnn has no other stem" in result.stderr
