"""What the commands of `export` refuse to write: nothing that exists is lost unless asked."""

import shutil
from types import SimpleNamespace

import pytest
import typer
from typer.testing import CliRunner

from export import committed, make_samples, pipeline, report, sensitivity, tflite
from export.pipeline import QuantizationMode
from export.sensitivity import LayerError
from tests.conftest import GOLDEN, ROOT, run
from train import weights

CHECKPOINT = weights.SHIPPED / "cnn.safetensors"


@pytest.fixture
def no_work(monkeypatch):
    """Fail the test if the command loads or exports anything."""
    for name in ("load", "load_inputs"):
        monkeypatch.setattr(tflite, name, None)
    monkeypatch.setattr(pipeline, "export_tflite", None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a checkpoint, a data set, calibration images and old exports."""
    monkeypatch.chdir(tmp_path)
    for name in ("data/train/cat", "calibration/cat", "exports"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(CHECKPOINT, tmp_path / "own.safetensors")
    (tmp_path / "link").symlink_to("own.safetensors")
    for name in ("data/train/cat/1.png", "calibration/cat/2.png", "archive.tar.gz"):
        (tmp_path / name).write_text(name)
    for name in ("cnn-int8.tflite", "cnn-int8-mixed.tflite", "resnet18-int8.tflite"):
        (tmp_path / "exports" / name).write_text("precious")
    (tmp_path / "exports" / "cnn-sensitivity.png").write_text("precious")
    return tmp_path


def said(stderr: str) -> str:
    """Return a message without the box that Typer draws around it."""
    return " ".join(stderr.replace("│", " ").split())


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(
    ("out", "arguments"),
    [
        ("own.safetensors", ["--checkpoint", "own.safetensors"]),
        ("link", ["--checkpoint", "own.safetensors"]),
        ("own.safetensors", ["--checkpoint", "link"]),
        ("archive.tar.gz", ["--data", "archive.tar.gz"]),
        ("data/train/cat/1.png", ["--data", "data"]),
        ("calibration/cat/2.png", ["--calibration", "calibration"]),
        (CHECKPOINT, []),
        (committed.FOLDER / "train.png", []),
        (committed.FOLDER / "train", ["--explain"]),  # would write train.png
    ],
)
def test_an_input_is_never_an_output(command, folder, no_work, out, arguments, overwrite):
    before = contents(folder)
    result = command(*arguments, *overwrite, "--out", out)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "would replace" in said(result.stderr)
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("arguments", "existing"),
    [
        ([], "exports/cnn-int8.tflite"),
        (["--mixed"], "exports/cnn-int8-mixed.tflite"),
        (["--network", "resnet18"], "exports/resnet18-int8.tflite"),
        (["--explain"], "exports/cnn-sensitivity.png"),
        (["--all"], "exports/cnn-int8.tflite"),
        (["--out", "archive.tar.gz"], "archive.tar.gz"),
    ],
)
def test_a_file_that_exists_is_refused_before_the_work(
    command, folder, no_work, arguments, existing
):
    before = contents(folder)
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"--out {existing} exists; add --overwrite" in said(result.stderr)
    assert contents(folder) == before


def test_a_mixed_model_does_not_take_the_place_of_the_plain_one(command, folder, monkeypatch):
    """Each has a default name of its own."""
    written = []

    def export(mode, out, inputs, **options):
        written.append((str(out), options["overwrite"]))
        raise OSError(28, "No space left on device", str(out))

    monkeypatch.setattr(tflite, "load_inputs", lambda *_, **__: None)
    monkeypatch.setattr(pipeline, "export_tflite", export)
    for arguments in ([], ["--mixed"]):
        result = command("--overwrite", *arguments)
        assert result.exit_code == 1
        assert result.stderr == (
            f"export: {written[-1][0]} cannot be used (No space left on device); check it and its "
            "permissions.\n"
        )
    assert written == [("exports/cnn-int8.tflite", True), ("exports/cnn-int8-mixed.tflite", True)]


@pytest.mark.parametrize("with_data", [False, True])
def test_all_names_what_it_skips_without_a_data_set(command, tmp_path, monkeypatch, with_data):
    """What it can export is everything, so that it succeeds."""
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tflite, "load", lambda path: path)
    inputs = SimpleNamespace(judged_on="")
    monkeypatch.setattr(tflite, "load_inputs", lambda *_, **__: inputs)
    monkeypatch.setattr(report, "lines", lambda *_: [])
    monkeypatch.setattr(report, "table", lambda _: [])
    monkeypatch.setattr(
        pipeline, "export_tflite", lambda mode, out, *_, **__: asked.append(out.stem) or mode
    )
    result = command("--all", *(["--data", tmp_path] if with_data else []))
    assert result.exit_code == 0
    trained = {"cnn-int8-qat", "resnet18-int8-qat"}
    assert trained <= set(asked) if with_data else trained.isdisjoint(asked)
    assert len(asked) == 2 * (len(QuantizationMode) - (not with_data))
    assert ("skipped cnn-int8-qat and resnet18-int8-qat" in result.stderr) == (not with_data)


def test_a_ranking_replaces_another_only_if_asked(command, folder, monkeypatch):
    monkeypatch.setattr(sensitivity, "explain", lambda inputs: [LayerError("worst", 1.0, 0.0)])
    result = command("--explain", "--overwrite")
    assert result.exit_code == 0, result.output
    assert (folder / "exports" / "cnn-sensitivity.png").read_bytes()[1:4] == b"PNG"


def test_the_committed_images_are_replaced_only_if_asked(monkeypatch):
    app = typer.Typer()
    app.command()(make_samples.main)
    monkeypatch.setattr(make_samples, "load", None)
    before = contents(committed.FOLDER)
    result = CliRunner().invoke(app, [])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "train.png exists; add --overwrite" in said(result.stderr)
    result = CliRunner().invoke(app, ["--data", "nowhere", "--overwrite"])
    assert (result.exit_code, result.stdout) == (2, "")
    sheet = str(committed.FOLDER / "train.png")
    result = CliRunner().invoke(app, ["--data", sheet, "--overwrite"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "which is an input" in said(result.stderr)
    assert contents(committed.FOLDER) == before


def test_ctrl_c_has_its_exit_code(command, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    app = typer.Typer()
    app.command()(make_samples.main)
    monkeypatch.setattr(make_samples, "load", interrupted)
    assert CliRunner().invoke(app, ["--overwrite"]).exit_code == 130
    monkeypatch.setattr(tflite, "load_inputs", interrupted)
    result = command("--out", tmp_path / "x.tflite")
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "export: stopped; no unfinished file was left behind\n"


@pytest.mark.parametrize("name", ["model.c", "model.h", "model.tflite"])
def test_c_files_replace_nothing_unless_asked(tmp_path, name):
    """A model may be called like the source that the command would write."""
    pytest.importorskip("tflite_micro")
    model = tmp_path / name
    shutil.copy(GOLDEN / "int8.tflite", model)
    if model.suffix == ".tflite":
        (tmp_path / "model.h").write_text("precious")
    before = contents(tmp_path)
    options = [[]] if model.suffix == ".tflite" else [[], ["--overwrite"]]
    for more in options:
        result = run("-m", "export.micro", model, "--out", tmp_path, *more, cwd=ROOT)
        assert (result.returncode, result.stdout) == (2, "")
        message = said(result.stderr)
        assert ("exists; add --overwrite" if model.suffix == ".tflite" else "which is") in message
        assert contents(tmp_path) == before
