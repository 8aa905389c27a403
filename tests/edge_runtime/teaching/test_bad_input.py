"""Bad input of `edge-teach`: one sentence, the right exit code, and nothing half-written."""

import json
import os
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from edge_runtime import OutputError, TeachingError, teach
from tests.conftest import run


@pytest.fixture
def folder(shapes, tmp_path):
    """A folder of three classes that a test may change, in a folder of its own."""
    return shutil.copytree(shapes, tmp_path / "own")


def refused(folder, *options, code=1):
    """Run the command beside the folder, which must write nothing, and return its sentence."""
    before = sorted(folder.parent.iterdir())
    result = run("edge-teach", folder.name, *options, cwd=folder.parent)
    assert (result.returncode, result.stdout) == (code, ""), result.stderr
    assert sorted(folder.parent.iterdir()) == before
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr.removeprefix("edge-teach: ").rstrip("\n")


def taught_report(folder, *options):
    """Run the command, which must succeed, and return its report and its messages."""
    result = run("edge-teach", folder.name, "--json", *options, cwd=folder.parent)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), result.stderr


def test_an_empty_class(folder):
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").write_text("no photograph")
    assert refused(folder).startswith(
        "Expected own/empty to hold at least 2 photographs that can be read, but found none; "
    )


def test_one_class(folder):
    shutil.rmtree(folder / "disc")
    shutil.rmtree(folder / "ring")
    assert "2 to 1,000 classes, but found 1 (square)." in refused(folder)


def test_no_class(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    assert refused(folder).endswith("2 to 1,000 classes, but found none.")


def test_counter_examples_are_no_class(folder):
    shutil.rmtree(folder / "disc")
    (folder / "ring").rename(folder / "none-of-these")
    assert "but found 1 (square)" in refused(folder)


def test_a_missing_folder(folder):
    shutil.rmtree(folder)
    assert refused(folder).startswith("own does not exist; expected a folder ")


def test_a_file_instead_of_a_folder(folder):
    shutil.rmtree(folder)
    folder.write_text("a file")
    assert refused(folder).startswith("own is not a folder; expected a folder ")


def test_unreadable_photographs_are_named_and_left_out(folder):
    (folder / "disc" / "text.jpg").write_text("no image")
    content = (folder / "disc" / "00.png").read_bytes()
    (folder / "ring" / "cut.png").write_bytes(content[:3000])
    (folder / "ring" / "empty.png").write_bytes(b"")
    (folder / "square" / "nowhere.png").symlink_to("missing.png")
    report, messages = taught_report(folder)
    assert report["classes"] == {"disc": 8, "ring": 8, "square": 8}
    assert len(report["unreadable"]) == 4
    for name in ("disc/text.jpg", "ring/cut.png", "ring/empty.png", "square/nowhere.png"):
        assert f"own/{name} " in messages
    assert "left out what cannot be read: 4." in messages


def test_a_class_without_a_readable_photograph(folder):
    for path in (folder / "ring").iterdir():
        path.write_text("no image")
    assert "own/ring to hold at least 2 photographs that can be read" in refused(folder)


@pytest.mark.parametrize("name", ["a\nb", "tab\t", " disc", "disc ", b"\xff", "\u202e"])
def test_names_that_cannot_be_labels(folder, name):
    os.mkdir(os.path.join(os.fsencode(folder), os.fsencode(name)))  # noqa: PTH102, PTH118
    assert "which cannot be a label; rename the folder to printable text" in refused(folder)


def test_unusual_names_are_labels(folder):
    names = ["ä, \"b\" 🎉 'c'", "n" * 250, "Disc", "train"]
    for name, old in zip(names, ["ring", "square", "disc", "disc"], strict=True):
        shutil.copytree(folder / old, folder / name)
    shutil.rmtree(folder / "ring")
    report, _ = taught_report(folder)
    assert set(report["classes"]) == {"disc", "square", *names}
    info = run("edge-classify", "--info", "taught.tflite", cwd=folder.parent)
    assert names[0] in info.stdout
    result = run(
        *("edge-classify", "--model", "taught.tflite", "--json", "--top-k", "6"),
        "own/square/00.png",
        cwd=folder.parent,
    )
    labels = {p["label"] for p in json.loads(result.stdout)["predictions"]}
    assert labels == {"disc", "square", *names}


def test_photographs_beside_the_classes_are_mentioned(folder):
    shutil.copyfile(folder / "disc" / "00.png", folder / "stray.png")
    (folder / "ring" / "notes.txt").write_text("notes")
    report, messages = taught_report(folder)
    assert sum(report["classes"].values()) == 24
    assert messages == (
        "edge-teach: left out 2 files without an image's suffix or beside the folders of the "
        "classes.\n"
    )


def test_links_that_lead_in_circles_end(folder):
    (folder / "itself").symlink_to("itself")
    (folder / "disc" / "self").symlink_to(".")
    (folder / "disc" / "circle").symlink_to("circle")
    report, messages = taught_report(folder)
    assert report["classes"] == {"disc": 8, "ring": 8, "square": 8}
    assert "Traceback" not in messages


def test_the_same_photograph_in_two_classes_is_reported(folder):
    shutil.copyfile(folder / "disc" / "03.png", folder / "square" / "copy.png")
    report, _ = taught_report(folder)
    assert report["near_doubles"][0] == {
        "first": "own/disc/03.png",
        "second": "own/square/copy.png",
        "across": True,
    }


def test_photographs_that_are_all_the_same(folder):
    content = (folder / "disc" / "00.png").read_bytes()
    for path in folder.glob("*/*.png"):
        path.write_bytes(content)
    assert refused(folder) == (
        "The photographs are all nearly the same, so that nothing can be learnt from them; add "
        "others."
    )


def test_classes_of_one_photograph_many_times(folder):
    """Cross-validation can say nothing then, but the photographs can be told apart."""
    for path in folder.glob("*/*.png"):
        path.write_bytes((path.parent / "00.png").read_bytes())
    report, messages = taught_report(folder)
    assert messages == ""
    assert report["expected"]["high"] > 0.5 and report["mislabelled"] == []
    result = run(
        *("edge-classify", "--model", "taught.tflite", "--json"),
        *(f"own/{name}/01.png" for name in ("disc", "ring", "square")),
        cwd=folder.parent,
    )
    rows = [json.loads(line)["predictions"][0]["label"] for line in result.stdout.splitlines()]
    assert rows == ["disc", "ring", "square"]


def test_odd_photographs_are_read(folder):
    for name, image in {
        "dot.png": Image.new("RGB", (1, 1), "red"),
        "line.png": Image.new("RGB", (300, 2), "red"),
        "grey.png": Image.new("L", (40, 50), 90),
        "clear.png": Image.new("RGBA", (40, 50), (200, 30, 30, 100)),
        "deep.png": Image.fromarray(np.full((40, 50), 20_000, np.uint16)),
        "palette.gif": Image.new("P", (40, 50), 3),
    }.items():
        image.save(folder / "disc" / name)
    report, messages = taught_report(folder)
    assert report["classes"]["disc"] == 14
    assert (report["unreadable"], messages) == ([], "")


def test_two_photographs_beside_many(folder):
    shutil.rmtree(folder / "square")
    for path in sorted((folder / "ring").iterdir())[2:]:
        path.unlink()
    result = run("edge-teach", folder.name, cwd=folder.parent)
    assert result.returncode == 0, result.stderr
    assert "(few: the figures below say little)" in result.stdout.splitlines()[2]


def test_an_output_that_exists_stays(folder):
    out = folder.parent / "taught.tflite"
    out.write_text("mine")
    assert "--out taught.tflite exists; add --overwrite" in refused(folder, code=2)
    assert out.read_text() == "mine"


@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_photograph_is_never_the_output(folder, options):
    before = (folder / "disc" / "00.png").read_bytes()
    refused(folder, "--out", "own/disc/00.png", *options, code=2)
    assert (folder / "disc" / "00.png").read_bytes() == before


@pytest.mark.parametrize("where", ["test", "train/../test"])
def test_a_photograph_of_the_test_is_never_the_output(folder, shapes, where):
    test = shutil.copytree(shapes, folder.parent / "test")
    (folder.parent / "train").mkdir()
    out = f"{where}/ring/01.png"
    sentence = refused(folder, "--test", "test", "--out", out, "--overwrite", code=2)
    assert "would replace" in sentence
    assert (test / "ring" / "01.png").read_bytes() == (shapes / "ring" / "01.png").read_bytes()


@pytest.mark.parametrize(
    ("out", "why"),
    [
        ("own", "is a directory; name a file in it"),
        ("missing/x.tflite", "its folder does not exist"),
        ("own/disc/00.png/x.tflite", "is a file"),
        ("/dev/null", "is not a regular file"),
        ("/proc/x.tflite", "cannot be written"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused_at_once(folder, out, why):
    assert why in refused(folder, "--out", out, "--overwrite", code=2)


@pytest.mark.parametrize("earlier", [None, b"an earlier model"])
def test_a_full_disk_leaves_what_was_there(folder, earlier):
    out = folder.parent / "taught.tflite"
    if earlier:
        out.write_bytes(earlier)
    before = sorted(folder.parent.iterdir())

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

    result = run("edge-teach", "own", "--overwrite", cwd=folder.parent, preexec_fn=small_files)
    assert (result.returncode, result.stdout) == (1, "")
    assert "could not be written to" in result.stderr and "taught.tflite" in result.stderr
    assert result.stderr.count("\n") == 1
    assert sorted(folder.parent.iterdir()) == before
    assert earlier is None or out.read_bytes() == earlier


STOPPED = """
import os, signal, sys
from edge_runtime.teaching import cli

class Stopping(cli.Bar):
    count = 0
    def read(self, *, failed):
        Stopping.count += 1
        if WHEN == Stopping.count:
            os.kill(os.getpid(), signal.SIGNAL)
    def stage(self, name):
        if WHEN == name:
            os.kill(os.getpid(), signal.SIGNAL)

cli.Bar = Stopping
cli.main()
"""


@pytest.mark.parametrize(
    ("signal", "when"),
    [("SIGINT", 5), ("SIGINT", "cross-validating"), ("SIGINT", "writing"), ("SIGTERM", "fitting")],
)
def test_a_stopped_run_writes_nothing_and_can_be_started_again(
    folder, shapes_model, tmp_path, signal, when
):
    path, _ = shapes_model
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = STOPPED.replace("WHEN", repr(when)).replace("SIGNAL", signal)
    result = run("-c", program, "own", cwd=tmp_path, env=environment)
    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr.startswith("edge-teach: stopped; no model was written, ")
    assert result.stderr.count("\n") == 1
    assert {p.name for p in tmp_path.iterdir()} == {"own", "cache"}
    again = run("edge-teach", "own", cwd=tmp_path, env=environment)
    assert (again.returncode, again.stderr) == (0, "")
    assert (tmp_path / "taught.tflite").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "| head -c 1"])
def test_a_closed_output_does_not_lose_the_model(folder, redirection):
    command = f"edge-teach own {redirection}"
    environment = {
        **os.environ,
        "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",  # noqa: PTH120
    }
    result = subprocess.run(
        ["sh", "-c", command], cwd=folder.parent, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "Traceback" not in result.stderr
    assert (folder.parent / "taught.tflite").stat().st_size > 3_000_000


def test_a_full_standard_output_is_an_error_but_the_model_is_written(folder):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        result = subprocess.run(
            [os.path.join(os.path.dirname(sys.executable), "edge-teach"), "own"],  # noqa: PTH118, PTH120
            cwd=folder.parent,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert result.returncode == 1
    assert "could not be written" in result.stderr and "Traceback" not in result.stderr
    assert (folder.parent / "taught.tflite").exists()


def test_a_test_folder_of_another_class_is_refused(folder, shapes):
    test = shutil.copytree(shapes, folder.parent / "judge")
    (test / "disc").rename(test / "disk")
    sentence = refused(folder, "--test", "judge")
    assert sentence.startswith("judge/disk has the name of no class (disc, ring, ")


def test_an_empty_test_folder_is_refused(folder):
    (folder.parent / "judge").mkdir()
    assert "photographs in folders named like the classes" in refused(folder, "--test", "judge")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--side", "100"], "expected one of 128, 160, 192, 224, but got 100"),
        (["--threads", "0"], "--threads"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_options_that_cannot_be_meant(folder, options, why):
    result = run("edge-teach", "own", *options, cwd=folder.parent)
    assert (result.returncode, result.stdout) == (2, "")
    assert why in result.stderr
    assert [p.name for p in folder.parent.iterdir()] == ["own"]


def test_python_raises_the_runtimes_errors(folder, tmp_path):
    with pytest.raises(ValueError, match="`side`"):
        teach(folder, tmp_path / "x.tflite", side=100)
    with pytest.raises(ValueError, match="`threads`"):
        teach(folder, tmp_path / "x.tflite", threads=0)
    with pytest.raises(TeachingError, match="does not exist"):
        teach(tmp_path / "missing", tmp_path / "x.tflite")
    with pytest.raises(OutputError, match="is a directory"):
        teach(folder, tmp_path)
