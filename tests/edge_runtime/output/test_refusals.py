"""What a command refuses to write: nothing that exists is lost without being asked."""

import json
import shutil
import subprocess
import sys

import pytest

from edge_runtime.errors import OutputError
from edge_runtime.inference import shipped
from edge_runtime.support.outputs import output_file
from tests.conftest import GOLDEN, run
from tests.edge_runtime.output.test_formats import COMMAND, FROG, SHIP


@pytest.fixture
def folder(tmp_path):
    """A folder with an image, a model, labels, names, and links to the image."""
    shutil.copy(FROG, tmp_path / "photo.png")
    shutil.copy(GOLDEN / "int8.tflite", tmp_path / "own.tflite")
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    (tmp_path / "names.txt").write_text("photo.png\n")
    (tmp_path / "link.png").symlink_to("photo.png")
    (tmp_path / "hard.png").hardlink_to(tmp_path / "photo.png")
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("options", [[], ["--overwrite"], ["--json", "--resume"]])
@pytest.mark.parametrize(
    ("out", "sources"),
    [
        ("photo.png", ["photo.png"]),
        ("link.png", ["photo.png"]),
        ("photo.png", ["link.png"]),
        ("hard.png", ["photo.png"]),
        ("photo.png", ["."]),
        ("photo.png", ["*.png"]),
        ("own.tflite", ["photo.png", "--model", "own.tflite"]),
        ("labels.txt", ["photo.png", "--model", "own.tflite", "--labels", "labels.txt"]),
    ],
)
def test_an_input_is_never_an_output(folder, out, sources, options):
    before = contents(folder)
    result = run("edge-classify", *options, "--out", out, *sources, cwd=folder)
    assert (result.returncode, result.stdout) == (2, "")
    assert f"--out {out} would replace" in " ".join(result.stderr.split())
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("out", "standard_input"),
    [("photo.png", "photo.png"), ("names.txt", "names.txt"), ("photo.png", "names.txt")],
)
def test_an_input_on_standard_input_is_never_an_output(folder, out, standard_input):
    before = contents(folder)
    with (folder / standard_input).open("rb") as stream:
        result = run("edge-classify", "-", "--overwrite", "--out", out, stdin=stream, cwd=folder)
    assert result.returncode == 2
    assert f"{out} would replace" in " ".join(result.stderr.split())
    assert {name: contents(folder)[name] for name in before} == before


def test_files_beside_the_output_are_no_inputs_either(tmp_path):
    """An image may be called like the part file that the run would write."""
    shutil.copy(FROG, tmp_path / "results.part")
    for options in ([], ["--overwrite"]):
        result = run("edge-classify", "--out", "results", *options, "results.part", cwd=tmp_path)
        assert result.returncode == 2
        assert (tmp_path / "results.part").read_bytes() == FROG.read_bytes()


def test_a_file_that_exists_is_replaced_only_if_asked(tmp_path):
    out = tmp_path / "notes.txt"
    out.write_text("precious")
    refused = run("edge-classify", "--out", out, FROG)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "exists; add --overwrite to replace it, or name" in " ".join(refused.stderr.split())
    assert out.read_text() == "precious"
    as_json = run("edge-classify", "--json", "--out", out, FROG)
    assert "--overwrite to replace it, --resume to add to it" in " ".join(as_json.stderr.split())
    assert run("edge-classify", "--out", out, "--overwrite", FROG).returncode == 0
    assert out.read_text().startswith(f"{FROG}: frog ")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(("kind", "resumable"), [("--json", True), ("--csv", True), (None, False)])
def test_the_results_of_a_stopped_run_are_not_discarded(tmp_path, kind, resumable):
    part = tmp_path / "results.part"
    part.write_text("five thousand results\n")
    command = ["edge-classify", *([kind] if kind else []), "--out", tmp_path / "results"]
    result = run(*command, FROG)
    said = " ".join(result.stderr.split())
    assert result.returncode == 2
    assert "a stopped run left results.part; add --overwrite to start over" in said
    assert ("--resume to continue it" in said) == resumable
    assert part.read_text() == "five thousand results\n"
    assert run(*command, "--overwrite", FROG).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_run_that_finishes_meanwhile_is_not_replaced(tmp_path):
    """The command line was checked before, as when two runs start at once."""
    from edge_runtime.output.file import Output

    out = tmp_path / "results"
    out.write_text("of the other run")
    with pytest.raises(OutputError, match="exists; add --overwrite"):
        Output(out, "json", {})
    assert contents(tmp_path) == {"results": b"of the other run"}


@pytest.mark.parametrize("options", [["--overwrite"], ["--out", "x", "--overwrite", "--resume"]])
def test_overwrite_alone_makes_no_sense(options, tmp_path):
    result = run("edge-classify", "--json", *options, FROG, cwd=tmp_path)
    assert result.returncode == 2
    assert "--overwrite needs --out" in " ".join(result.stderr.split())


def test_what_a_link_points_to_is_checked(tmp_path):
    (tmp_path / "data.png").write_bytes(SHIP.read_bytes())
    (tmp_path / "out").symlink_to("data.png")
    with pytest.raises(OutputError, match=r"would replace .*data\.png, which is an input"):
        output_file(tmp_path / "out", inputs=[tmp_path / "data.png"], overwrite=True)
    assert output_file(tmp_path / "out", overwrite=True) == (tmp_path / "data.png").resolve()


@pytest.mark.skipif(sys.platform == "win32", reason="needs permissions")
def test_a_folder_that_may_not_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(OutputError, match="cannot be written: its folder is not writable"):
        output_file(tmp_path / "x")


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_a_delegate_s_library_is_an_input(tmp_path, overwrite):
    (tmp_path / "delegate.so").write_bytes(b"library")
    options = ["--delegate", "./delegate.so", "--out", "delegate.so", *overwrite]
    result = run("edge-classify", *options, FROG, cwd=tmp_path)
    assert result.returncode == 2
    assert "which is an input" in " ".join(result.stderr.split())
    assert contents(tmp_path) == {"delegate.so": b"library"}


def test_folders_that_are_missing_may_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    new = tmp_path / "a" / "b" / "new"
    with pytest.raises(OutputError, match="its folder does not exist"):
        output_file(new)
    assert output_file(new, parents=True, trial=True) == new.resolve()
    with pytest.raises(OutputError, match="file is a file"):
        output_file(tmp_path / "file" / "b" / "new", parents=True)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_order_of_results_survives_a_names_list_that_is_not_the_output(tmp_path):
    (tmp_path / "names").write_text(f"{FROG}\n{SHIP}\n")
    with (tmp_path / "names").open("rb") as stream:
        command = [COMMAND, "-", "--json", "--out", tmp_path / "out"]
        assert subprocess.run(command, stdin=stream, capture_output=True).returncode == 0
    sources = [json.loads(line)["source"] for line in (tmp_path / "out").read_text().splitlines()]
    assert sources == [str(FROG), str(SHIP)]
    assert str(shipped.samples()["frog"]) == sources[0]
