import json
import re

import pytest

from edge_runtime.inference import shipped
from edge_runtime.inference.sidecar import write_sidecar
from tests.conftest import GOLDEN, run
from tests.edge_runtime.inference.model_files import CARD, archive


@pytest.mark.parametrize("as_json", [False, True])
def test_info_shows_the_metadata(as_json):
    options = ["--json"] if as_json else []
    result = run("edge-classify", "--info", *options, "cnn-int8", GOLDEN / "unlabelled.tflite")
    assert (result.returncode, result.stderr) == (0, "")
    if as_json:
        shipped, bare = (json.loads(line) for line in result.stdout.splitlines())
        assert shipped["card"].get("network", "cnn") == "cnn"
        assert shipped["labels"][3] == "cat"
        assert shipped["bytes"] > 500_000
        assert bare == bare | {"labels": [], "mean": None, "std": None, "fit": None, "card": {}}
    else:
        assert "labels:             airplane, automobile, bird, cat," in result.stdout
        assert "labels:             none in the file" in result.stdout


def test_files_that_are_not_models_are_errors(tmp_path):
    (tmp_path / "empty.tflite").touch()
    names = ["README.md", "nope", tmp_path / "empty.tflite", tmp_path]
    for options in ([], ["--json"]):
        result = run("edge-classify", "--info", *options, *names, "cnn-int8")
        assert result.returncode == 1
        assert result.stderr.count("\n") == len(names)
        assert all(str(name) in result.stderr for name in names)
        assert "cnn-int8" in result.stdout
        if options:
            lines = [json.loads(line) for line in result.stdout.splitlines()]
            assert [line.keys() for line in lines[:4]] == [{"source", "error", "layout"}] * 4


def test_a_threshold_beside_the_file_is_shown_instead_of_the_card_s(tmp_path):
    """That threshold is the one in force."""
    model = tmp_path / "mine.tflite"
    model.write_bytes(shipped.find("cnn-int8").read_bytes())
    measured = {"threshold": 0.75, "measured_on": "9 images", "leads": [[0, 9, 0]]}
    path = write_sidecar(model, measured, overwrite=False)
    lines = run("edge-classify", "--info", model).stdout.splitlines()
    assert "acceptance:         threshold 0.75, measured_on 9 images" in lines
    assert f"acceptance file:    {path}" in lines
    fields = json.loads(run("edge-classify", "--info", "--json", model).stdout)
    assert (fields["acceptance"], fields["acceptance_file"]) == (measured, str(path))


def test_a_delegate_is_asked_what_it_would_run():
    as_json = run("edge-classify", "--info", "--json", "--delegate", "xnnpack", "cnn-int8")
    placement = json.loads(as_json.stdout)["placement"]
    assert placement == {
        "requested": "xnnpack",
        "delegate": "xnnpack",
        "threads": 1,
        "delegated": 29,
        "operations": 33,
        "outside": ["QUANTIZE", "SOFTMAX", "CONCATENATION", "QUANTIZE"],
        "reason": "",
    }
    as_text = run("edge-classify", "--info", "--delegate", "cpu", "--threads", "2", "cnn-int8")
    shown = dict(re.split(r": +", line, maxsplit=1) for line in as_text.stdout.splitlines())
    assert (shown["delegate"], shown["threads"]) == ("cpu", "2")
    assert (shown["delegated"], shown["outside"]) == ("33 of 33 operations", "none")
    without = json.loads(run("edge-classify", "--info", "--json", "cnn-int8").stdout)
    assert "placement" not in without
    absent = run("edge-classify", "--info", "--delegate", "npu", "cnn-int8")
    assert (absent.returncode, absent.stdout) == (1, "")
    assert "NPU" in absent.stderr


EVIL = "\x1b[31mred\x07"


def test_nothing_of_a_file_reaches_a_terminal_raw(tmp_path):
    """Labels, card and name of the file, in --info and as a result."""
    path = tmp_path / "m\x1b[1m.tflite"
    card = {**CARD, "author": EVIL, EVIL: "x"}
    files = {"labels.txt": f"{EVIL}\ngreen\nblue\n".encode(), "model-card.json": json.dumps(card)}
    graph = (GOLDEN / "unlabelled.tflite").read_bytes()
    path.write_bytes(archive(graph, files))
    image = tmp_path / "red\x1b[2m.ppm"
    image.write_bytes(b"P6 4 4 255\n" + b"\xff\0\0" * 16)
    info = run("edge-classify", "--info", path)
    result = run("edge-classify", "--top-k", "3", "--model", path, image)
    for ran in (info, result):
        assert ran.returncode == 0, ran.stderr
        assert "\\x1b[31mred\\x07" in ran.stdout
        assert "\x1b" not in ran.stdout + ran.stderr
        assert "\x07" not in ran.stdout + ran.stderr


def test_metadata_that_is_left_out_is_said(tmp_path):
    path = tmp_path / "m.tflite"
    graph = (GOLDEN / "unlabelled.tflite").read_bytes()
    path.write_bytes(archive(graph, {"model-card.json": b"[]"}))
    shown = run("edge-classify", "--info", path)
    assert shown.returncode == 0
    assert re.search(r"warnings: +its model-card\.json has another layout", shown.stdout)
    as_json = json.loads(run("edge-classify", "--info", "--json", path).stdout)
    assert as_json["warnings"] == ["its model-card.json has another layout, and is ignored"]
    image = tmp_path / "red.ppm"
    image.write_bytes(b"P6 4 4 255\n" + b"\xff\0\0" * 16)
    (tmp_path / "labels.txt").write_text("r\ng\nb\n")
    options = ("--mean", "0", "--std", "255", "--fit", "pad", "--labels", tmp_path / "labels.txt")
    for more, warned in (((), True), (options, False)):
        result = run("edge-classify", *more, "--model", path, image)
        assert result.returncode == 0, result.stderr
        assert ("model-card.json has another layout" in result.stderr) is warned


def test_info_leaves_long_lists_to_json(taught):
    """A taught model's card lists hashes and tables of thresholds."""
    text = run("edge-classify", "--info", taught).stdout
    assert max(map(len, text.splitlines())) < 400
    assert "threshold" in text
    card = json.loads(run("edge-classify", "--info", "--json", taught).stdout)["card"]
    assert len(card["taught"]["photographs_sha256"]) == 30
    assert len(card["acceptance"]["leads"]) > 1
