"""What the command writes: formats, files, terminals."""

import csv
import io
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.inference import shipped
from edge_runtime.support.progress import Progress
from tests.conftest import GOLDEN, run

FROG, SHIP = shipped.samples()["frog"], shipped.samples()["ship"]
COMMAND = Path(sys.executable).parent / "edge-classify"


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_csv_and_json_say_the_same():
    sources = (FROG, "nope.png", SHIP)
    as_json = run("edge-classify", "--json", "--top-k", "2", *sources)
    as_csv = run("edge-classify", "--csv", "--top-k", "2", *sources)
    expected = []
    for line in map(json.loads, as_json.stdout.splitlines()):
        if "error" in line:
            expected.append((line["source"], "", "", line["error"]))
        for prediction in line.get("predictions", ()):
            expected.append((line["source"], prediction["label"], str(prediction["score"]), ""))
    shown = [(r["source"], r["label"], r["score"], r["error"]) for r in rows(as_csv.stdout)]
    assert shown == expected
    assert len(shown) == 5
    assert (as_json.returncode, as_csv.returncode) == (1, 1)


def test_csv_quotes_odd_names(tmp_path):
    path = tmp_path / 'a "quoted",\nname.png'
    shutil.copy(FROG, path)
    [row] = rows(run("edge-classify", "--csv", path).stdout)
    assert row["source"] == str(path)


def test_threshold_hides_but_does_not_fail():
    score = json.loads(run("edge-classify", "--json", FROG).stdout)["predictions"][0]["score"]
    above = run("edge-classify", "--threshold", str(min(1, score + 0.01)), FROG)
    assert (above.returncode, above.stdout) == (0, f"{FROG}: no class reaches the threshold\n")
    kept = run("edge-classify", "--threshold", str(score), "--json", FROG)
    assert len(json.loads(kept.stdout)["predictions"]) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--json", "--csv"], "got both"),
        (["--resume"], "--resume needs --out"),
        (["--resume", "--out", "x"], "--resume needs"),
        (["--delegate", ""], "expected --delegate to be a name, but got an empty one"),
        (["--fit", "squash"], "expected --fit crop, stretch, pad, but got squash"),
        (["--gpu-precision", "int8"], "expected --gpu-precision"),
        (["--mean", "a,b"], "expected --mean to be one number"),
        (["--labels", "nope.txt"], "--labels nope.txt cannot be read"),
        (["--threshold", "2"], "threshold"),
        (["--threshold", "nan"], "expected a number, but got nan"),
        (["--threads", "100000"], "threads"),
        (["--out", ""], "expected --out to be a name, but got an empty one"),
        (["--info", "--out", "x"], "--info prints text"),
        (["--info", "--csv"], "--info prints text"),
        (["--every", "0"], "every"),
    ],
)
def test_wrong_options_are_usage_errors(options, message):
    result = run("edge-classify", *options, FROG)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


def test_options_of_unlabelled_models(tmp_path):
    (tmp_path / "labels.txt").write_text("rot\ngrün\nblau\n", encoding="utf-8")
    model = ("--model", GOLDEN / "logits.tflite")
    plain = run("edge-classify", *model, FROG)
    for assumed in (
        "a pixel x goes in as (x - 0) / 255",
        "cropped to their centre",
        "class numbers",
    ):
        assert assumed in plain.stderr
    named = run(
        "edge-classify", *model, "--labels", tmp_path / "labels.txt", "--mean", "0,0,0",
        "--std", "255", "--fit", "crop", FROG,
    )  # fmt: skip
    assert named.stdout.split(": ")[1].split()[0] in ("rot", "grün", "blau")
    assert named.stdout.split()[-1] == plain.stdout.split()[-1]
    assert named.stderr.count("that ") == 1  # the softmax is still assumed
    other = run("edge-classify", *model, "--std", "25", FROG)
    assert other.stdout != plain.stdout


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    out = tmp_path / "results.jsonl"
    result = run("edge-classify", "--json", "--out", out, FROG, "nope.png", SHIP)
    assert (result.returncode, result.stdout) == (1, "")
    assert [json.loads(line)["source"] for line in out.read_text().splitlines()] == [
        str(FROG), "nope.png", str(SHIP),
    ]  # fmt: skip
    assert "2 classified, 1 failed" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results.jsonl"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs /dev/stdout")
def test_what_standard_output_goes_to_is_not_replaced(tmp_path):
    log = tmp_path / "log"
    for command in (["edge-classify", FROG], ["edge-benchmark", "cnn-int8"]):
        with log.open("w") as stream:
            stream.write("before\n")
            stream.flush()
            program = COMMAND.parent / command[0]
            result = subprocess.run(
                [program, command[1], "--out", "/dev/stdout"],
                stdout=stream,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert result.returncode in (1, 2)
        assert "it is a stream; omit --out" in " ".join(result.stderr.split())
        assert log.read_text() == "before\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs /dev/null")
def test_an_output_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    for out, why in (
        ("/nonexistent/x", "its folder does not exist"),
        (tmp_path, "is a directory"),
        ("/dev/null", "is not a regular file"),
    ):
        result = run("edge-classify", "--json", "--out", out, FROG)
        assert (result.returncode, result.stdout) == (2, "")
        assert f"--out {out}" in result.stderr
        assert why in " ".join(result.stderr.split())
    assert not list(tmp_path.parent.glob(f"{tmp_path.name}.*"))


def test_a_link_stays_one(tmp_path):
    (tmp_path / "disk").mkdir()
    out, file = tmp_path / "results", tmp_path / "disk" / "results"
    out.symlink_to(file)
    for options in ([], ["--overwrite"]):
        assert run("edge-classify", "--json", "--out", out, *options, FROG).returncode == 0
        assert out.is_symlink()
        assert json.loads(file.read_text())["source"] == str(FROG)
        file.write_text("")


def test_a_model_that_is_not_there_and_csv(tmp_path):
    [row] = rows(run("edge-classify", "--csv", "--model", GOLDEN / "make.py", FROG).stdout)
    assert row["source"] == str(FROG)
    assert "make.py" in row["error"]
    out = tmp_path / "results.csv"
    out.write_text("of a run that went well")
    result = run("edge-classify", "--csv", "--model", "nope", "--out", out, "--overwrite", FROG)
    assert (result.returncode, result.stdout) == (2, "")
    assert "There is no model nope" in " ".join(result.stderr.split())
    assert out.read_text() == "of a run that went well"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_standard_error_that_is_closed():
    command = f"{COMMAND} --json nope.png 2>&-"
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert result.returncode == 1
    assert json.loads(result.stdout)["source"] == "nope.png"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("options", ["", "--json"])
def test_standard_output_that_is_closed(options):
    command = f"{COMMAND} {options} {SHIP} >&-"
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert result.returncode == 1
    assert "could not be written to standard output (Bad file descriptor)." in result.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_standard_error_that_is_full():
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [COMMAND, "nope.png", FROG], stdout=subprocess.PIPE, stderr=full, text=True
        )
    assert (result.returncode, result.stdout.count("frog.png")) == (1, 1)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on file sizes")
def test_a_full_disk_under_out(tmp_path):
    """A limit on the size of files stands for it."""
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        f"sys.argv = ['edge-classify', '--json', '--out', {str(tmp_path / 'x')!r}, *sys.argv[1:]];"
        "from edge_runtime.cli.main import main; main()"
    )
    result = run("-c", limited, *[FROG] * 20)
    assert result.returncode == 1
    assert result.stderr == (
        f"edge-classify: the results could not be written to {tmp_path / 'x'} (File too large).\n"
    )
    assert not (tmp_path / "x").exists()


def test_on_a_terminal_there_are_colours_a_bar_and_a_summary(tmp_path):
    for i in range(5):
        shutil.copy(FROG, tmp_path / f"{i}.png")
    leader, follower = pty.openpty()
    process = subprocess.Popen([COMMAND, tmp_path], stdout=follower, stderr=follower)
    os.close(follower)
    shown = b""
    while True:
        try:
            block = os.read(leader, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not block:
            break
        shown += block
    os.close(leader)
    assert process.wait() == 0
    text = shown.decode()
    assert text.count("\033[1m") == 5
    assert "5 classified, 0 failed, " in text


def test_the_bar_tells_rate_and_remaining_time():
    progress = Progress(total=200)
    for i in range(50):
        progress.count(1, failed=int(i == 0))
    assert progress.bar(10.0) == "[######..................] 50/200 5 images/s, 0:30 left"
    assert progress.summary().startswith("49 classified, 1 failed, ")
    assert Progress().bar(1.0) == "0 images, 0 images/s"
