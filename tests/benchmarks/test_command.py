"""Run `python -m benchmarks` on a small data set, and with bad input."""

import json

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import networks, passes
from benchmarks.results import Results
from edge_runtime.tflite.metadata import detached
from tests.conftest import GOLDEN, ROOT
from train import cifar10
from train.dataset import DataError

APP = typer.Typer()
APP.command()(command.main)
QUICK = ("--no-peers", "--seconds", "0", "--delegate", "xnnpack")


def run(out, *arguments):
    result = CliRunner().invoke(APP, [*map(str, arguments), *QUICK, "--out", str(out)])
    stored = json.loads((out / "results.json").read_text()) if out.exists() else None
    return result, {row["name"]: row for row in stored["rows"]} if stored else {}


def test_both_passes_and_their_report(tmp_path, small_data):
    result, rows = run(tmp_path, "cnn-int8", "cnn-float32")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        str(tmp_path / name) for name in ("report.html", "report.md", "pareto.png")
    ]
    for name, row in rows.items():
        assert row["accuracy"]["images"] == 20, name
        assert row["latency"]["p50_us"] > 10
        assert row["macs"] == 38_907_920
    assert rows["cnn-int8, edge_runtime, xnnpack"]["latency"]["verdict"] == "the reference"
    assert "drop" in rows["cnn-int8, edge_runtime, xnnpack"]["accuracy"]
    assert (tmp_path / "report.md").read_text().count("\n") == 2 + 2
    stored = json.loads((tmp_path / "results.json").read_text())
    peak = stored["peak"]["cnn"]["int8"]["macs_per_s"]
    latency = rows["cnn-int8, edge_runtime, xnnpack"]["latency"]
    assert latency["of_peak"] == pytest.approx(38_907_920 / latency["p50_us"] / peak * 1e6)
    assert {c["name"] for c in stored["cross_check"]} == set(rows)


def test_without_a_compiler_the_column_is_empty(tmp_path, monkeypatch):
    monkeypatch.setattr(passes.peak.shutil, "which", lambda name: None)
    result, rows = run(tmp_path, "cnn-int8", "--only", "latency")
    assert result.exit_code == 0, result.output
    assert "the share of the peak is missing: there is no C compiler; install" in result.stderr
    [row] = rows.values()
    assert row["latency"]["of_peak"] is None
    assert (tmp_path / "report.md").read_text().endswith(" | 1 |  |\n")


def test_without_the_data_latency_is_still_measured(tmp_path, monkeypatch):
    def nothing(path=None):
        raise DataError("--data names nowhere, which does not exist.")

    monkeypatch.setattr(cifar10, "load", nothing)
    result, rows = run(tmp_path, "cnn-int8")
    assert result.exit_code == 1
    assert "accuracy is missing: --data names nowhere" in result.stderr
    [row] = rows.values()
    assert row["latency"]
    assert row["reasons"] == {"accuracy": "--data names nowhere, which does not exist."}


def test_a_file_that_cannot_be_opened_is_a_row_with_the_reason(tmp_path, small_data):
    result, rows = run(
        tmp_path, "cnn-int8", "--only", "accuracy", "--delegate", "npu",
        "--reference", GOLDEN / "uint8.tflite", "--reference", GOLDEN / "no_image.tflite",
    )  # fmt: skip
    assert result.exit_code == 1
    reasons = {name: row["reasons"].get("accuracy") for name, row in rows.items()}
    assert reasons["cnn-int8, edge_runtime, xnnpack"] is None
    assert "No NPU is available here" in reasons["cnn-int8, edge_runtime, npu"]
    assert (
        "to have the 10 classes of the test images, but it has 3"
        in reasons["uint8-as it is, edge_runtime, xnnpack"]
    )
    assert "is not an image classifier" in reasons["no_image-as it is, edge_runtime, xnnpack"]


def test_the_exit_code_is_that_of_the_pass_that_ran(tmp_path, monkeypatch):
    def nothing(path=None):
        raise DataError("--data names nowhere, which does not exist.")

    monkeypatch.setattr(cifar10, "load", nothing)
    result, _ = run(tmp_path, "cnn-int8")
    assert result.exit_code == 1
    result, rows = run(tmp_path, "cnn-int8", "--only", "latency")
    assert result.exit_code == 0, result.output
    [row] = rows.values()
    assert row["reasons"] == {"accuracy": "--data names nowhere, which does not exist."}


def test_another_run_adds_to_the_first(tmp_path, small_data):
    run(tmp_path, "cnn-int8", "--only", "accuracy")
    _, rows = run(tmp_path, "cnn-int8", "--only", "latency")
    [row] = rows.values()
    assert row["accuracy"]
    assert row["latency"]


def test_ctrl_c_keeps_what_was_measured(tmp_path, small_data, monkeypatch):
    real = passes.accuracy_pass.figures
    judged = []

    def second_time(*arguments):
        judged.append(1)
        if len(judged) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(passes.accuracy_pass, "figures", second_time)
    result, rows = run(tmp_path, "cnn-float32", "cnn-int8")
    assert result.exit_code == 130
    assert rows["cnn-float32, edge_runtime, xnnpack"]["accuracy"]
    assert rows["cnn-int8, edge_runtime, xnnpack"]["accuracy"] is None
    stored = json.loads((tmp_path / "results.json").read_text())
    assert stored["passes"]["accuracy"]["complete"] is False
    assert "“accuracy”" not in result.output  # only the page names the pass
    assert "what was measured until then is kept" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nope"], "There is no model nope"),
        (["--untrained", "vgg"], "expected one of cnn, resnet18, but got vgg"),
        (["--threads", "0"], "--threads"),
        (["--reference", "typo.tflite"], "There is no model typo.tflite"),
        (["--delegate", "gpux"], "expected --delegate xnnpack, "),
        (["--data", "nowhere"], "--data nowhere does not exist"),
    ],
)
def test_wrong_usage(tmp_path, arguments, said):
    result, _ = run(tmp_path / "new", *arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
    assert "[Errno" not in result.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("taken", ["", "results.json"])
def test_a_folder_that_cannot_be_written_is_an_error_before_the_measurements(
    tmp_path, monkeypatch, taken
):
    out = tmp_path / "out"
    if taken:
        (out / taken).mkdir(parents=True)
    else:
        out.write_text("")
    monkeypatch.setattr(passes.accuracy_pass, "run", None)
    result = CliRunner().invoke(APP, ["cnn-int8", *QUICK, "--out", str(out)])
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith(f"benchmarks: {out} cannot be written (")
    assert result.stderr.endswith("name another folder with --out.\n")


def test_damaged_previous_results_are_not_overwritten(tmp_path):
    (tmp_path / "results.json").write_text("{")
    result = CliRunner().invoke(APP, ["cnn-int8", *QUICK, "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "results.json is damaged" in result.stderr
    assert (tmp_path / "results.json").read_text() == "{"


@pytest.mark.parametrize("name", ["report.html", "report.md", "pareto.png"])
def test_a_file_of_something_else_is_not_replaced(tmp_path, monkeypatch, name):
    """A folder without results.json is not that of a previous run."""
    monkeypatch.setattr(command, "measure_all", None)
    (tmp_path / name).write_text("precious")
    result = CliRunner().invoke(APP, ["cnn-int8", *QUICK, "--out", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{tmp_path / name} exists, and it is not from a previous run" in result.stderr
    assert [path.read_text() for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("option", ["model", "--reference", "--data"])
def test_an_input_is_never_replaced(tmp_path, monkeypatch, option):
    monkeypatch.setattr(command, "measure_all", None)
    Results().write(tmp_path / "results.json")
    named = tmp_path / "own.tflite"
    named.write_bytes((GOLDEN / "uint8.tflite").read_bytes())
    (tmp_path / "report.md").symlink_to(named)
    arguments = [named] if option == "model" else ["cnn-int8", option, named]
    command_line = [*map(str, arguments), *QUICK, "--out", str(tmp_path)]
    result = CliRunner().invoke(APP, command_line)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"would replace {named}, which is an input" in result.stderr
    assert named.read_bytes() == (GOLDEN / "uint8.tflite").read_bytes()


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "peers/cnn.onnx")

    monkeypatch.setattr(command, "measure_all", full)
    result = CliRunner().invoke(APP, ["cnn-int8", *QUICK, "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stderr.startswith("benchmarks: peers/cnn.onnx cannot be used (No space left on")
    assert result.stderr.count("\n") == 1


def test_exported_files_are_kept(tmp_path, monkeypatch):
    """Only what is missing is made: a file of that name may be someone else's."""
    monkeypatch.setattr(networks.convert, "to_float32", lambda model: b"float32")
    monkeypatch.setattr(networks.quantize, "to_int8", lambda model, images: b"int8")
    (tmp_path / "cnn-float32.tflite").write_bytes(b"precious")
    files = networks.untrained("cnn", tmp_path).files
    assert files["float32"].read_bytes() == b"precious"
    assert files["int8"].read_bytes() == b"int8"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow  # exports both
def test_an_untrained_network_is_marked_and_not_evaluated(tmp_path, small_data):
    result, rows = run(tmp_path, "--untrained", "cnn")
    assert result.exit_code == 0, result.output
    assert sorted(rows) == [
        "cnn-float32, edge_runtime, xnnpack, random weights",
        "cnn-int8, edge_runtime, xnnpack, random weights",
    ]
    for row in rows.values():
        assert row["accuracy"] is None
        assert row["latency"]["p50_us"] > 10
    assert "cnn int8, random weights" in (tmp_path / "report.md").read_text()


def test_a_foreign_file_is_compared_with_our_int8(tmp_path, small_data):
    foreign = tmp_path / "theirs.tflite"
    foreign.write_bytes(detached((ROOT / "edge_runtime/models/cnn-int8.tflite").read_bytes()))
    only = ("--only", "latency")
    result, rows = run(tmp_path / "out", "cnn-int8", *only, "--reference", foreign)
    assert result.exit_code == 0, result.output
    row = rows["theirs-as it is, edge_runtime, xnnpack"]
    assert row["latency"]["against"] == "cnn-int8, edge_runtime, xnnpack"
    result, rows = run(tmp_path / "alone", "cnn-float32", *only)
    table = (tmp_path / "alone" / "report.md").read_text()
    assert "| 1 of cnn-float32, edge_runtime, xnnpack |" in table


def test_a_later_failure_loses_no_results(tmp_path, small_data, monkeypatch):
    def fails(*arguments, **options):
        raise LookupError

    monkeypatch.setattr(passes.latency_pass, "run", fails)
    result, rows = run(tmp_path, "cnn-int8")
    assert isinstance(result.exception, LookupError)
    assert rows["cnn-int8, edge_runtime, xnnpack"]["accuracy"]
