import numpy as np
import pytest
import typer
from ai_edge_litert.interpreter import Interpreter
from typer.testing import CliRunner

from benchmarks import layers, peak
from benchmarks.macs import multiply_adds
from benchmarks.turns import STRETCHES
from edge_runtime.inference import shipped
from tests.conftest import GOLDEN

CNN = shipped.find("cnn-int8")
RESNET18 = shipped.find("resnet18-int8")
APP = typer.Typer()
APP.command()(layers.main)


def run(path, image):
    """Return all outputs of a graph by the end of their shape, which is unique in these tests."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return [interpreter.get_tensor(o["index"]) for o in interpreter.get_output_details()]


@pytest.mark.parametrize("path", [CNN, RESNET18, shipped.find("cnn-float32")])
def test_the_layers_are_those_of_the_graph(path):
    found = layers.layers_of(path)
    assert sum(layer.macs for layer in found) == multiply_adds(path)
    precision = "float32" if path.stem.endswith("float32") else "int8"
    assert {layer.precision for layer in found if layer.macs} == {precision}
    assert {layer.precision for layer in found if not layer.macs} <= {""}
    assert found[-1].output == (1, 10)


def test_the_cut_after_all_layers_is_the_whole_graph(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
    whole = tmp_path / "whole.tflite"
    whole.write_bytes(layers.cut(CNN, len(layers.layers_of(CNN))))
    [expected], [scores] = run(CNN, image), run(whole, image)
    assert np.array_equal(scores, expected)


@pytest.mark.parametrize(
    ("operations", "outputs"), [(1, [1]), (4, [4]), (8, [8]), (11, [10, 11]), (14, [10, 13, 14])]
)
def test_a_cut_keeps_what_later_layers_would_take(tmp_path, operations, outputs):
    """Operation 10 of ResNet18 is in its outlier head, and 14 is a shortcut beside 13."""
    found = layers.layers_of(RESNET18)
    part = tmp_path / "part.tflite"
    part.write_bytes(layers.cut(RESNET18, operations))
    tensors = run(part, np.zeros((1, 32, 32, 3), np.uint8))
    assert [tensor.shape for tensor in tensors] == [found[number - 1].output for number in outputs]
    assert part.stat().st_size < RESNET18.stat().st_size / 4


def test_a_layer_takes_what_its_cut_takes_more():
    us = np.array([10, 30, 25])[:, np.newaxis] * np.ones(STRETCHES)
    us[:, 0] = 1000, 1100, 3000  # one disturbed turn
    times = [np.repeat(of_cut, 3).astype(np.int64) * 1000 for of_cut in us]
    median, low, high = layers.differences(times)
    assert median.tolist() == [10, 20, -5]
    assert low.tolist() == [10, 20, -5]
    assert high.tolist() == [10, 20, -5]


def test_the_table():
    found = [
        layers.Layer("CONV_2D", (1, 32, 32, 8), "int8", 50_000),
        layers.Layer("SOFTMAX", (1, 10), "", 0),
    ]
    times = [np.full(STRETCHES, ns) for ns in (100_000, 125_000)]
    lines = layers.table(found, times, {"int8": {"macs_per_s": 1e9}}).splitlines()[2:]
    assert lines == [
        "| 0 CONV_2D | 1 x 32 x 32 x 8 | 50,000 | 100.0 (100.0 to 100.0) | 50.0 | 50% |",
        "| 1 SOFTMAX | 1 x 10 |  | 25.0 (25.0 to 25.0) | | |",
        "| all | | 50,000 | 125.0 | 50.0 | 40% |",
    ]
    times[0][::2] = 0  # too short to measure
    lines = layers.table(found, times, {"int8": {"macs_per_s": 1e9}}).splitlines()[2:]
    assert lines[0].endswith(" (0.0 to 100.0) | 50.0 | |")
    lines = layers.table(found, times, {}).splitlines()[2:]
    assert [line[-6:] for line in lines] == [" | | |"] * 3


def test_the_command():
    result = CliRunner().invoke(APP, [str(GOLDEN / "int8.tflite"), "--seconds", "0"])
    assert result.exit_code == 0, result.output
    assert len(result.stdout.splitlines()) == 3 + len(layers.layers_of(GOLDEN / "int8.tflite"))


def test_without_a_compiler_the_times_remain(monkeypatch):
    monkeypatch.setattr(peak.shutil, "which", lambda name: None)
    result = CliRunner().invoke(APP, [str(GOLDEN / "int8.tflite"), "--seconds", "0"])
    assert result.exit_code == 0, result.output
    assert "the share of the peak is missing: there is no C compiler" in result.stderr
    assert result.stdout.splitlines()[-1].endswith(" | | |")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nope", "There is no model nope"),
        ("README.md", "README.md is not a .tflite model."),
    ],
)
def test_something_else_is_refused(model, said):
    result = CliRunner().invoke(APP, [model])
    assert result.exit_code == 2
    assert said in result.stderr
