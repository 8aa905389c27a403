"""Run `python -m benchmarks.trust` on small models and images."""

import json
import shutil

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from benchmarks.trust import __main__ as command
from edge_runtime import Classifier
from edge_runtime.inference.acceptance_table import Judged, measure
from edge_runtime.inference.sidecar import write_sidecar
from edge_runtime.support.metrics import threshold_that_accepts
from tests.conftest import GOLDEN
from train import data
from train.dataset import Dataset, Split
from train.outliers import is_validation

UINT8 = str(GOLDEN / "uint8.tflite")
FLOAT32 = str(GOLDEN / "float32.tflite")
COLOURS = ("red", "green", "blue")
IDS = [f"n{number:08}" for number in range(12)]


def split(seed: int, count: int = 40) -> Split:
    images = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)
    labels = images.reshape(count, 16, 3).sum(axis=1).argmax(axis=1)
    return Split(images, labels.astype(np.uint8), ("",) * count)


@pytest.fixture(autouse=True)
def dataset(monkeypatch):
    """Images of three classes; the models know them all."""
    found = Dataset(split(0), split(1), split(2), COLOURS)
    monkeypatch.setattr(data, "load", lambda path, side=32: found)
    return found


@pytest.fixture
def outside(tmp_path):
    """Two images of each of twelve classes, as PNG."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "others"
    folder.mkdir()
    for name in IDS:
        for number in range(2):
            pixels = rng.integers(100, 156, (9, 8, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{name}_{number}.png")
    return folder


def run(*arguments):
    app = typer.Typer()
    app.command()(command.main)
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_a_table_a_plot_and_json_are_written(outside, tmp_path, dataset):
    out = tmp_path / "made" / "report"
    result = run(UINT8, FLOAT32, "--outside", outside, "--out", out)
    assert result.exit_code == 0, result.stderr
    assert (out / "trust.md").read_text() in result.stdout
    with Image.open(out / "trust.png") as plot:
        assert plot.width > 1000
    record = json.loads((out / "trust.json").read_text())
    assert record["format"] == "edge-trust 1"
    classes = sum(map(is_validation, IDS))
    [source] = record["images"]["outside"]
    assert source == {
        "name": "others", "images": 2 * classes, "classes": classes, "all_classes": False
    }  # fmt: skip
    with Classifier(UINT8) as model:
        scores = np.array([model.scores(image) for image in dataset.test.images])
        held_out = np.array([model.scores(image).max() for image in dataset.held_out.images])
        others = [
            model.scores(path).max()
            for path in sorted(outside.iterdir())
            if is_validation(path.name[:9])
        ]
    first = record["models"][0]
    assert first["threshold"] == threshold_that_accepts(0.95, held_out)
    assert first["test"]["top1"] == (scores.argmax(axis=1) == dataset.test.labels).mean()
    assert first["test"]["accepted"] == (scores.max(axis=1) >= first["threshold"]).mean()
    assert first["outside"][0]["accepted"] == (np.array(others) >= first["threshold"]).mean()
    assert "does not say how often it is wrong" in first["max_error"]["reason"]
    assert f"| `{UINT8}` | `{FLOAT32}` |" in result.stdout
    assert "gains" not in first


def test_photographs_of_the_classes_and_another_model(outside, tmp_path):
    inside = tmp_path / "photographs"
    for number, colour in enumerate(COLOURS):
        (inside / colour).mkdir(parents=True)
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[:, :, number] = 200
        Image.fromarray(pixels).save(inside / colour / "plain.png")
    (inside / "none-of-these").mkdir()
    Image.new("RGB", (9, 9)).save(inside / "none-of-these" / "black.png")
    options = ("--inside", inside, "--against", FLOAT32, "--all-outside", "--out", tmp_path / "out")
    result = run(UINT8, "--outside", outside, *options)
    assert result.exit_code == 0, result.stderr
    record = json.loads((tmp_path / "out" / "trust.json").read_text())
    assert record["images"]["inside"] == {"name": "photographs", "images": 3}
    assert record["images"]["outside"][0]["images"] == 24
    other, model = record["models"]
    assert (other["model"], model["model"]) == (FLOAT32, UINT8)
    assert model["inside"]["top1"] == 1
    assert model["gains"]["against"] == FLOAT32
    assert model["gains"]["inside"]["top1"] == 0
    assert "gains" not in other
    assert f"Difference from `{FLOAT32}`" in result.stdout
    assert "`photographs`: top-1" in result.stdout


def test_the_error_that_a_card_promises_is_tried(outside, tmp_path, dataset):
    path = tmp_path / "mine.tflite"
    shutil.copy(UINT8, path)
    best, found = np.linspace(0.5, 1, 600), np.zeros(600, int)
    labels = np.where(best < 0.6, 1, 0)
    card = measure(Judged(best, 1 - best, found, labels, "600 images"), COLOURS)
    write_sidecar(path, card, overwrite=False)
    options = ("--max-error", "5%", "--out", tmp_path / "out")
    result = run(path, "--outside", outside, *options)
    assert result.exit_code == 0, result.stderr
    [model] = json.loads((tmp_path / "out" / "trust.json").read_text())["models"]
    with Classifier(path, max_error=0.05) as classifier:
        results = [classifier.classify(image) for image in dataset.test.images]
    accepted = np.array([result.accepted for result in results])
    assert 0 < accepted.mean() < 1
    assert model["max_error"]["accepted"] == accepted.mean()
    assert model["max_error"]["promise"].startswith("--max-error 5%: scores from 0.")
    assert "| `--max-error 5%` | " in result.stdout


def test_files_are_not_replaced_unless_asked(outside, tmp_path):
    (tmp_path / "trust.png").write_bytes(b"mine")
    result = run(UINT8, "--outside", outside, "--out", tmp_path)
    assert result.exit_code == 2
    assert f"{tmp_path / 'trust.png'} exists; add --overwrite to replace it" in result.stderr
    assert (tmp_path / "trust.png").read_bytes() == b"mine"
    assert not (tmp_path / "trust.json").exists()
    assert run(UINT8, "--outside", outside, "--out", tmp_path, "--overwrite").exit_code == 0
    assert (tmp_path / "trust.png").read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nope", "--outside", "."), 2, "There is no model nope"),
        ((UINT8, "--outside", "nowhere"), 2, "--outside names nowhere, which does not exist"),
        ((UINT8, "--outside", ".", "--max-error", "red=1%"), 2, "one percentage for all classes"),
        ((UINT8, "--outside", ".", "--max-error", "much"), 2, "a percentage above 0 and below 100"),
        (("cnn-int8", "--outside", "."), 1, "to have the 3 classes of the test images"),
    ],
)
def test_what_cannot_be_measured(tmp_path, arguments, code, message):
    result = run(*arguments, "--out", tmp_path / "out")
    assert result.exit_code == code
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert not (tmp_path / "out" / "trust.json").exists()


def test_other_images_that_cannot_be_used(outside, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    result = run(UINT8, "--outside", empty, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "empty holds no image; name another folder or archive" in result.stderr
    trained = next(name for name in IDS if not is_validation(name))
    Image.new("RGB", (9, 9)).save(empty / f"{trained}.png")
    result = run(UINT8, "--outside", empty, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "or --all-outside if the models never saw it" in result.stderr
    unseen = next(name for name in IDS if is_validation(name))
    (empty / f"{unseen}.png").write_bytes(b"no image")
    result = run(UINT8, "--outside", empty, "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert f"{unseen}.png" in result.stderr
    assert "Remove it, or convert it to PNG." in result.stderr
