"""Finished runs side by side."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from edge_runtime.support.metrics import drop_interval
from tests.train.conftest import command
from tests.train.small import DATA
from train import evaluation, run_files, weights
from train.architectures import simple_cnn


def test_compare_prints_and_draws_runs_side_by_side(finished, calibrated, tmp_path):
    out = tmp_path / "compare.png"
    result = command("compare", finished[0], calibrated[0], "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    table = result.stdout.splitlines()
    assert len(table) == 4
    for line, (folder, _) in zip(table[1:3], (finished, calibrated), strict=True):
        report = json.loads((folder / "report.json").read_text())
        assert line.startswith(str(folder))
        assert f"{report['test']['top1']:.2%}" in line
    right = []
    for folder, _ in (finished, calibrated):
        model = simple_cnn(2)
        weights.load(model, folder / "weights.safetensors")
        right.append(evaluation.predict(model, DATA.held_out.images).argmax(axis=1))
    right = np.array(right) == DATA.held_out.labels
    gained, lost = np.sum(right[1] > right[0]), np.sum(right[0] > right[1])
    low, high = (100 * bound for bound in drop_interval(gained, lost, 64))
    gain = 100 * (right[1].mean() - right[0].mean())
    assert table[2].endswith(f"%  {gain:+.2f} ({low:+.2f} to {high:+.2f})")
    assert table[3] == f"{out}: curves of 2 runs"
    with Image.open(out) as plot:
        assert min(plot.size) > 300


def test_compare_says_how_runs_tell_outliers_from_images(finished, exposed, tmp_path):
    result = command("compare", finished[0], exposed[0], "--out", tmp_path / "compare.png")
    assert (result.exit_code, result.stderr) == (0, "")
    report = json.loads((exposed[0] / "report.json").read_text())
    ((name, found),) = report["rejection"]["outliers"].items()
    *_, head, row, _ = result.stdout.splitlines()
    assert head.split()[1:3] == ["accepted", "AUROC"]
    assert row.split() == [
        str(exposed[0]),
        f"{found['accepted']:.2%}",
        f"{found['auroc']:.3f}",
        str(found["images"]),
        name,
    ]


def test_no_gain_is_printed_if_held_out_images_differ_or_scores_are_missing(finished, tmp_path):
    other, older = tmp_path / "other", tmp_path / "older"
    for folder in (other, older):
        shutil.copytree(finished[0], folder)
    tensors, _ = weights.read(other / run_files.HELD_OUT)
    weights.write(
        other / run_files.HELD_OUT,
        tensors,
        {"images": "the hash of other images with the same labels"},
    )
    (older / run_files.HELD_OUT).unlink()
    result = command("compare", finished[0], other, older, "--out", tmp_path / "compare.png")
    assert [line.split()[-1] for line in result.stdout.splitlines()[2:4]] == ["-", "-"]


def test_the_curves_are_a_png_under_any_suffix(finished, tmp_path):
    result = command("compare", finished[0], "--out", tmp_path / "curves.v2")
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open(tmp_path / "curves.v2") as plot:
        assert plot.format == "PNG"


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
@pytest.mark.parametrize("name", ["report.json", "curves.png", "held-out.safetensors"])
def test_a_run_is_never_the_output(finished, name, options):
    before = (finished[0] / name).read_bytes()
    result = command("compare", finished[0], "--out", finished[0] / name, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "which is an input; name another file." in result.stderr
    assert (finished[0] / name).read_bytes() == before


def test_a_file_that_exists_is_replaced_only_if_asked(finished, tmp_path):
    out = tmp_path / "thesis.txt"
    out.write_text("precious")
    result = command("compare", finished[0], "--out", out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        f"train: --out {out} exists; add --overwrite to replace it, or name another file.\n"
    )
    assert out.read_text() == "precious"
    assert command("compare", finished[0], "--out", out, "--overwrite").exit_code == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_the_default_file_is_protected_too(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert command("compare", finished[0]).exit_code == 0
    assert (tmp_path / "runs" / "compare.png").exists()
    assert command("compare", finished[0]).exit_code == 2
    assert command("compare", finished[0], "--overwrite").exit_code == 0


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_damaged_run_is_one_sentence(finished, tmp_path, text):
    for name in ("report.json", "history.json"):
        folder = tmp_path / name
        shutil.copytree(finished[0], folder)
        if text is None:
            (folder / name).unlink()
        elif name == "report.json" or text == "{":
            (folder / name).write_text(text)
        else:
            continue
        result = command("compare", folder, "--out", tmp_path / "compare.png")
        assert (result.exit_code, result.stdout) == (1, "")
        assert f"{folder} holds no finished run ({name}" in result.stderr
        assert "Errno" not in result.stderr
    assert not (tmp_path / "compare.png").exists()


def test_compare_needs_finished_runs(finished, tmp_path):
    result = command("compare", finished[0], tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"train: {tmp_path} holds no finished run")
