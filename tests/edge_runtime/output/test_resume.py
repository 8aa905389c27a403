"""`--resume`: what a stopped or a finished run has is kept, and nothing is mixed."""

import json
import shutil
import signal
import subprocess
import sys
import time

import pytest

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.jobs.job import Job, dependencies, model_files
from edge_runtime.output.file import Output
from edge_runtime.output.formats import CSV_COLUMNS
from tests.conftest import GOLDEN, run
from tests.edge_runtime.output.test_formats import COMMAND, FROG, SHIP, rows


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_resume_keeps_answers_and_tries_failures_again(tmp_path, kind):
    out = tmp_path / "results"
    late = tmp_path / "late.png"
    command = ("edge-classify", f"--{kind}", "--top-k", "2", "--out", out)
    assert run(*command, FROG, late, SHIP).returncode == 1
    shutil.copy(SHIP, late)
    whole = run(*command, "--resume", FROG, late, SHIP)
    assert whole.returncode == 0
    assert "1 classified, 0 failed" in whole.stderr
    assert "(2 kept)" in whole.stderr
    text = out.read_text()
    found = [json.loads(line) for line in text.splitlines()] if kind == "json" else rows(text)
    assert {str(r["source"]) for r in found} == {str(FROG), str(late), str(SHIP)}
    assert len(found) == (3 if kind == "json" else 6)
    assert "error" not in text.split("\n", 1)[1]


def test_what_a_stopped_run_left_beside_it_costs_no_finished_file(tmp_path):
    out = tmp_path / "results"
    command = ("edge-classify", "--json", "--out", out)
    assert run(*command, FROG).returncode == 0
    (tmp_path / "results.part.job").write_text("{}")
    assert run(*command, "--resume", SHIP).returncode == 0
    assert [json.loads(line)["source"] for line in out.read_text().splitlines()] == [
        str(FROG),
        str(SHIP),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_line_cut_short_is_done_again(tmp_path):
    out = tmp_path / "results"
    good = run("edge-classify", "--json", FROG, SHIP).stdout
    (tmp_path / "results.part").write_text(good[:-30])
    result = run("edge-classify", "--json", "--out", out, "--resume", FROG, SHIP)
    assert "1 classified" in result.stderr
    assert out.read_text() == good


def test_answers_of_another_format_are_not_thrown_away(tmp_path):
    out, part = tmp_path / "results", tmp_path / "results.part"
    for kept, kind in ((run("edge-classify", "--json", FROG).stdout, "csv"),
                       (run("edge-classify", "--csv", FROG).stdout, "json"),
                       (run("edge-classify", FROG).stdout, "json")):  # fmt: skip
        part.write_text(kept)
        result = run("edge-classify", f"--{kind}", "--out", out, "--resume", SHIP)
        assert (result.returncode, part.read_text()) == (2, kept)
        assert (
            f"{part} does not contain what --{kind} of this version writes; use --overwrite "
            in result.stderr
        )
        assert [path.name for path in tmp_path.iterdir()] == ["results.part"]


@pytest.mark.parametrize("name", ["results", "results.part"])
@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", '{"a": 1}\n'),
        ("json", "5\n"),
        ("json", '{"source": "x"}\n'),
        ("json", '{"source": "x", "predictions": [], "run": {}}\n'),  # of version 0.1
        ("csv", "source,frame,rank,label,index,score,error\r\nx,,1,cat,3,0.9,\r\n"),
        ("csv", f"{','.join(CSV_COLUMNS)}\r\nx,y\r\nz,y\r\n"),
        ("csv", "name,age\r\n"),
    ],
)
def test_lines_of_others_are_not_thrown_away(tmp_path, name, kind, text):
    (tmp_path / name).write_bytes(text.encode())
    result = run("edge-classify", f"--{kind}", "--out", tmp_path / "results", "--resume", SHIP)
    assert result.returncode == 2
    assert f"{name} does not contain what --{kind} of this version writes" in result.stderr
    assert (tmp_path / name).read_bytes() == text.encode()


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_finished_file_loses_nothing_to_resume(tmp_path, kind):
    """Not its last image, nor frames of a video that this run is not about."""
    out = tmp_path / "results"
    run("edge-classify", f"--{kind}", "--top-k", "2", "--out", out, FROG, SHIP)
    frame = {
        "json": '{"source": "a.avi", "frame": 1, "predictions": [], "layout": 2}\n',
        "csv": "a.avi,1,1,cat,3,0.5,true,cnn-int8,xnnpack,,2\r\n",
    }
    before = out.read_bytes() + frame[kind].encode()
    out.write_bytes(before)
    result = run("edge-classify", f"--{kind}", "--out", out, "--resume", shipped.samples()["dog"])
    assert "1 classified, 0 failed" in result.stderr
    assert out.read_bytes().startswith(before)
    assert "dog.png" in out.read_text()[len(before) :]


def test_an_image_on_standard_input_is_never_taken_for_another(tmp_path):
    command = ["edge-classify", "-", "--json", "--out", tmp_path / "results", "--resume"]
    for image in (FROG, SHIP):
        with image.open("rb") as stream:
            assert run(*command, stdin=stream).returncode == 0
    lines = map(json.loads, (tmp_path / "results").read_text().splitlines())
    assert [line["predictions"][0]["label"] for line in lines] == ["frog", "ship"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks on files")
def test_two_runs_do_not_write_one_file(tmp_path):
    first = Output(tmp_path / "results", "json", {})
    first.write("{}\n")
    for option in ("--overwrite", "--resume"):
        result = run("edge-classify", "--json", "--out", tmp_path / "results", option, SHIP)
        assert result.returncode == 2
        assert "results cannot be written: another run is writing it." in result.stderr
    first.finish()
    assert (tmp_path / "results").read_text() == "{}\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks on files")
@pytest.mark.parametrize("options", [["--json", "--overwrite"], ["--json", "--resume"]])
def test_of_runs_that_begin_at_once_one_goes_on(tmp_path, options):
    """Though the one before left much that is copied first."""
    line = run("edge-classify", "--json", FROG).stdout
    kept = [line.replace(str(FROG), f"{number}.png") for number in range(50_000)]
    (tmp_path / "out.part").write_text("".join(kept))
    command = [COMMAND, *options, "--out", tmp_path / "out"]
    processes = [
        subprocess.Popen([*command, image], stderr=subprocess.PIPE, text=True)
        for image in (SHIP, FROG, SHIP)
    ]
    said = [process.communicate(timeout=60)[1] for process in processes]
    done = [process.returncode == 0 for process in processes]
    assert any(done)
    for ended_well, errors in zip(done, said, strict=True):
        assert ended_well or "out cannot be written: another run is writing it." in errors
    sources = [json.loads(line)["source"] for line in (tmp_path / "out").read_text().splitlines()]
    if "--resume" in options:  # those that came later found a finished file
        assert len(sources) == 50_000 + len({str(SHIP), str(FROG)} & set(sources))
        assert len(sources) > 50_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_keeps_what_was_done_and_resume_goes_on(tmp_path, number):
    folder, out = tmp_path / "many", tmp_path / "out.jsonl"
    folder.mkdir()
    for i in range(3000):
        (folder / f"{i:05}.png").symlink_to(FROG)
    command = [COMMAND, "--json", "--threads", "2", "--out", out, folder]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    part = tmp_path / "out.jsonl.part"
    while not (part.exists() and part.stat().st_size) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Run the same command with --resume to continue." in errors
    assert errors.count("\n") == 1
    assert not out.exists()
    before = part.read_text().count("\n")
    assert 0 < before < 3000
    resumed = run("edge-classify", "--json", "--threads", "2", "--out", out, "--resume", folder)
    assert f"({before:,} kept)" in resumed.stderr
    sources = [json.loads(line)["source"] for line in out.read_text().splitlines()]
    assert sources == [f"{folder}/{i:05}.png" for i in range(3000)]
    assert [path.name for path in tmp_path.iterdir() if path != folder] == ["out.jsonl"]


def test_answers_of_another_model_or_of_other_options_are_not_mixed(tmp_path):
    out = tmp_path / "results"
    command = ("edge-classify", "--json", "--mean", "0,0,0", "--out", out, "--resume", FROG, SHIP)
    answer = run("edge-classify", "--json", FROG).stdout
    with Classifier(mean=(0, 0, 0)) as classifier:
        job = dependencies(classifier, model_files(classifier), Job(format="json", out=str(out)))
    stopped = Output(out, "json", job)
    stopped.write(answer)
    stopped.keep()
    part = tmp_path / "results.part"
    for options, names in (
        (["--top-k", "2"], "--top-k"),
        (["--model", "cnn-float32", "--std", "127"], "--model, --std, threshold for none of these"),
        (["--threshold", "0.5", "--fit", "pad"], "--fit, --threshold"),
    ):
        result = run(*command, *options)
        assert result.returncode == 2
        assert (
            f"results.part was written with a different {names}; use --overwrite instead of "
            f"--resume to start over, or another --out." in result.stderr
        )
        assert part.read_text() == answer
    result = run(*command)
    assert "1 classified, 0 failed" in result.stderr
    assert "(1 kept)" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_label_may_be_longer_than_csv_s_default_limit(tmp_path):
    (tmp_path / "labels.txt").write_text("red\ngreen\n" + "x" * 140_005)
    model = ("--model", GOLDEN / "int8.tflite", "--labels", tmp_path / "labels.txt", "--top-k", "3")
    command = ("edge-classify", "--csv", "--out", tmp_path / "results", *model)
    assert run(*command, FROG).returncode == 0
    result = run(*command, "--resume", FROG, SHIP)
    assert (result.returncode, "(1 kept)" in result.stderr) == (0, True)
    lines = (tmp_path / "results").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["source", *[str(FROG)] * 3, *[str(SHIP)] * 3]
