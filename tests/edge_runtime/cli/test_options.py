import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime import Classifier
from edge_runtime.cli import classify as command
from edge_runtime.cli import options as cli
from edge_runtime.inference import shipped
from edge_runtime.jobs.job import Job
from tests.conftest import GOLDEN, ROOT, run

FROG = shipped.samples()["frog"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_prints_label_and_score():
    result = run("edge-classify", FROG)
    assert (result.returncode, result.stderr) == (0, "")
    source, answer = result.stdout.strip().split(": ")
    label, score = answer.split()
    assert source == str(FROG)
    assert label in Classifier().labels
    assert 0 < float(score) <= 1


def test_the_demo_s_pictures_get_the_right_labels():
    """A real CIFAR-10 test image and a real photograph."""
    ship = run("edge-classify", shipped.samples()["ship"]).stdout
    cat = run("edge-classify", ROOT / "examples" / "chelsea.png").stdout
    assert ": ship 0." in ship
    assert ": cat 0." in cat


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "line\nbreak.png"])
def test_names_that_cannot_be_files_get_one_line(name):
    result = run("edge-classify", FROG, name, FROG)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert result.stdout.count("\n") == 2


def test_json_is_the_api_line_by_line():
    result = run("edge-classify", "--json", "--top-k", "3", FROG, shipped.samples()["dog"])
    assert (result.returncode, result.stderr) == (0, "")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["source"] for line in lines] == [str(FROG), str(shipped.samples()["dog"])]
    expected = [
        {"label": p.label, "index": p.index, "score": p.score}
        for p in Classifier().classify(FROG, top_k=3)
    ]
    assert lines[0] == {
        "source": str(FROG),
        "predictions": expected,
        "accepted": True,
        "model": "cnn-int8",
        "delegate": "xnnpack",
        "layout": 2,
    }


def test_options_change_the_answer():
    """Each option's values must differ in what they print."""
    answers = {
        run("edge-classify", *options, FROG).stdout
        for options in (
            (),
            ("--top-k", "2"),
            ("--json",),
            ("--model", "cnn-float32"),
            ("--model", GOLDEN / "float32.tflite"),
        )
    }
    assert len(answers) == 5


def test_a_directory_is_searched_in_order(folder):
    for name in ("b.png", "a.PNG", "sub/c.png", "notes.txt"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(FROG, folder / name)
    result = run("edge-classify", ".")
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        "a.PNG",
        "b.png",
        str(Path("sub/c.png")),
    ]


BAD_INPUTS = {
    "missing.png": None,
    "empty.png": b"",
    "truncated.png": FROG.read_bytes()[:1500],
    "text.png": b"this is no picture\n",
    "no-images": "directory",
}


@pytest.mark.parametrize("name", BAD_INPUTS)
@pytest.mark.parametrize("as_json", [False, True])
def test_bad_inputs_get_one_line_and_the_others_an_answer(folder, name, as_json):
    content = BAD_INPUTS[name]
    if content == "directory":
        (folder / name).mkdir()
    elif content is not None:
        (folder / name).write_bytes(content)
    options = ["--threads", "1", *(["--json"] if as_json else [])]

    alone = run("edge-classify", *options, name)
    assert alone.returncode == 1
    assert alone.stderr.count("\n") == 1
    assert name in alone.stderr
    if as_json:
        line = json.loads(alone.stdout)
        assert line.keys() == {"source", "error", "layout"}
        assert line["source"] == name
    else:
        assert alone.stdout == ""

    among_others = run("edge-classify", *options, FROG, name, FROG)
    assert among_others.returncode == 1
    assert among_others.stderr == alone.stderr
    good = run("edge-classify", *options, FROG).stdout
    assert among_others.stdout == good + alone.stdout + good


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "nope"], "There is no model nope; expected a .tflite file or one of cnn-"),
        (["--model", "missing.tflite"], "There is no model missing.tflite"),
        (["--delegate", "tpu"], "expected --delegate xnnpack, "),
        (["--delegate", "missing/libedgetpu.so"], "but got missing/libedgetpu.so"),
        (["--mean", "1,2"], "Expected `mean` to be one number, or 3"),
        (
            ["--model", GOLDEN / "uint8.tflite", "--std", "0"],
            "Expected `std` to be positive",
        ),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(options, message, as_json):
    result = run("edge-classify", *options, *(["--json"] if as_json else []), FROG)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())


@pytest.mark.parametrize("model", [FROG, GOLDEN / "two_inputs.tflite", GOLDEN / "no_image.tflite"])
def test_bad_models(model):
    result = run("edge-classify", "--model", model, FROG)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert str(model) in result.stderr
    as_json = run("edge-classify", "--json", "--model", model, FROG)
    assert json.loads(as_json.stdout).keys() == {"source", "error", "layout"}
    assert as_json.returncode == 1


@pytest.mark.parametrize("arguments", [[], ["--top-k", "0", FROG], ["--bogus", FROG], ["--model"]])
def test_wrong_usage(arguments):
    result = run("edge-classify", *arguments)
    assert (result.returncode, result.stdout) == (2, "")
    assert "Error: " in result.stderr


@pytest.mark.parametrize("name", [b"caf\xc3\xa9.png", b"bro\xffken.png"])
def test_odd_file_names(folder, name):
    shutil.copy(FROG, os.fsdecode(name))
    text, as_json = run("edge-classify", "."), run("edge-classify", "--json", ".")
    assert (text.returncode, as_json.returncode) == (0, 0)
    assert os.fsencode(json.loads(as_json.stdout)["source"]) == name


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_one_sentence():
    with Path("/dev/full").open("w") as full:
        command = [Path(sys.executable).parent / "edge-classify", FROG]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "could not be written" in result.stderr


def test_a_reader_that_leaves_is_no_error():
    command = f"{Path(sys.executable).parent / 'edge-classify'} {shipped.SAMPLES} | head -n 1"
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""


def test_version_is_the_package_s():
    import tomllib

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert run("edge-classify", "--version").stdout == f"edge-classify {version}\n"


def test_a_huge_image_does_not_exhaust_memory(folder):
    """30,000 x 30,000 pixels would take 2.7 GB as RGB."""
    from tests.edge_runtime.inputs.test_decode import black_png

    (folder / "huge.png").write_bytes(black_png(30_000))
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30));"
        "sys.argv = ['edge-classify', 'huge.png']; from edge_runtime.cli.main import main; main()"
    )
    result = run("-c", limited)
    assert (result.returncode, result.stdout) == (1, "")
    assert "more than 178,956,970 pixels" in result.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux alone")
def test_peak_memory_of_one_image():
    # A child's peak counts from the fork on, so that a small process has to start it.
    starter = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = Path(sys.executable).parent / "edge-classify"
    result = run("-c", starter, command, FROG)
    assert result.returncode == 0, result.stderr
    kib = int(result.stdout.splitlines()[-1])
    assert 20 * 1024 < kib <= 60 * 1024


def test_one_picture_needs_nothing_heavy():
    script = (
        f"import sys; from edge_runtime.cli.classify import classify; classify([{str(FROG)!r}])\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    modules = set(run("-c", script).stderr.split())
    assert "edge_runtime.inference.opening" in modules
    heavy = {"typer", "multiprocessing", "asyncio", "concurrent.futures", "csv", "cv2"}
    assert sorted(modules & {*heavy, "urllib.request", "numpy.typing", "zipfile"}) == []


def test_without_options_it_does_what_the_defaults_say(tmp_path):
    """Two ways lead there: past Typer where there is no option, and through it."""
    sources = [FROG, tmp_path / "nope.png", ""]
    plain = run("edge-classify", *sources)
    told = run("edge-classify", "--top-k", "1", *sources)
    assert (plain.returncode, told.returncode) == (1, 1)
    assert (plain.stdout, plain.stderr) == (told.stdout, told.stderr)
    defaults = [inspect.signature(f).parameters for f in (cli.classify, command.classify)]
    shared = defaults[0].keys() & defaults[1].keys() - {"sources"}
    assert len(shared) == 14
    for name in shared:
        assert defaults[0][name].default == defaults[1][name].default
    for field, default in Job._field_defaults.items():
        option = {"format": None, "duration_s": "duration"}.get(field, field)
        assert option is None or defaults[0][option].default == default


def test_what_was_measured_beside_a_model_is_an_input(tmp_path):
    model = Path(shutil.copy(GOLDEN / "uint8.tflite", tmp_path / "m.tflite"))
    beside = tmp_path / "m.tflite.acceptance.json"
    beside.write_text("{}")
    result = run("edge-classify", "--model", model, "--out", beside, "--overwrite", FROG)
    assert (result.returncode, result.stdout) == (2, "")
    assert "which is an input; name another file" in " ".join(result.stderr.split())
    assert beside.read_text() == "{}"
