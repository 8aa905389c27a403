"""Run `python -m benchmarks.teaching` on a small folder."""

import json
import sys

import pytest

from tests.conftest import run
from tests.taught import CLASSES, draw_folder


def teaching(*arguments):
    return run("-m", "benchmarks.teaching", *arguments)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Drawn figures in `train` and `test`, and a file that is damaged."""
    folder = tmp_path_factory.mktemp("photographs")
    draw_folder(folder / "train", count=8, seed=0)
    draw_folder(folder / "test", count=4, seed=1)
    (folder / "train" / CLASSES[0] / "damaged.png").write_bytes(b"no photograph")
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports PSS")
@pytest.mark.slow
def test_it_measures_accuracy_labels_and_cost(folder, tmp_path):
    out = tmp_path / "figures.json"
    options = ("--photographs", "5", "--photographs", "3", "--draws", "2", "--side", "128")
    result = teaching(folder, *options, "--flips", "10", "--json", "--out", out)
    assert result.returncode == 0, result.stderr
    assert "damaged.png" in result.stderr
    record = json.loads(result.stdout)
    assert json.loads(out.read_text()) == record
    assert record["photographs"] == 36
    assert record["classes"] == list(CLASSES)
    assert [row["photographs"] for row in record["accuracy"]] == [3, 5]
    assert record["accuracy"][1]["top1"] > 0.5
    assert record["accuracy"][1]["tests"] == 36
    assert record["noise"]["changed"] == 4
    cost = record["cost"]
    assert cost["photographs"] == 15
    assert cost["cpu_seconds"] > 0
    assert 40 < cost["peak_mib"] < 400
    assert cost["classify_low"] <= cost["classify_ratio"] <= cost["classify_high"]
    assert 0.8 < cost["classify_ratio"] < 1.5


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--side", "100"), 2, "expected one of 128, 160, 192, 224"),
        (("--out", "."), 2, "--out . is a directory"),
    ],
)
def test_options_that_cannot_be_meant(folder, options, code, message):
    result = teaching(folder, *options)
    assert result.returncode == code
    assert message in result.stderr.replace("\n", " ")


def test_a_folder_that_does_not_exist(tmp_path):
    result = teaching(tmp_path / "nothing")
    assert result.returncode == 1
    assert result.stderr.startswith("teaching: ")
    assert "does not exist" in result.stderr
