"""Run `python -m benchmarks.views` on small models and drawn photographs."""

import json

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from benchmarks.views import __main__ as command
from benchmarks.views.accuracy import averaged, gain, scores_at_any_size, shrunk
from edge_runtime import Classifier
from tests.conftest import GOLDEN
from train.dataset import Dataset, Split

UINT8 = str(GOLDEN / "uint8.tflite")  # 4 x 4 pixels; red, green, blue by the mean colour
CLASSES = ("red", "green", "blue")


def photograph(at: int, height: int = 30, width: int = 50) -> Image.Image:
    """A photograph of which only the middle has the colour of its class."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., (at + 1) % 3] = 130
    pixels[height // 4 : -height // 4, width // 3 : -width // 3] = 0
    pixels[height // 4 : -height // 4, width // 3 : -width // 3, at] = 255
    return Image.fromarray(pixels)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Two photographs a class, two of something else, and twenty test images."""
    for at, name in enumerate(CLASSES):
        (tmp_path / "photographs" / name).mkdir(parents=True)
        for number in range(2):
            image = photograph(at, 30 + 3 * number)
            image.save(tmp_path / "photographs" / name / f"{number}.png")
    (tmp_path / "outside").mkdir()
    for number in range(2):
        Image.new("RGB", (40, 30), (100, 100, 100)).save(tmp_path / "outside" / f"{number}.png")
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), np.uint8)
    labels = images.reshape(20, 16, 3).sum(axis=1).argmax(axis=1).astype(np.uint8)
    part = Split(images, labels, ("",) * 20)
    data = Dataset(part, part, part, CLASSES)
    monkeypatch.setattr(command, "load_for", lambda path, sides: data)
    return tmp_path


def run(*arguments):
    app = typer.Typer()
    app.command()(command.main)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_it_counts_what_the_classifier_gives(folder):
    out = folder / "views.json"
    result = run(
        folder / "photographs", UINT8, "--outside", folder / "outside", "--rounds", 1, "--out", out
    )
    assert result.exit_code == 0, result.stderr
    [record] = json.loads(out.read_text()).values()
    assert (record["photographs"], record["outside"], record["test_images"]) == (6, 2, 20)
    paths = sorted((folder / "photographs").rglob("*.png"))
    labels = [CLASSES.index(path.parent.name) for path in paths]
    found = {}
    for views in (1, 2, 4, 8):
        with Classifier(UINT8, views=views) as classifier:
            best = [classifier.classify(path)[0] for path in paths]
        row = record["by_views"][str(views)]
        right = [one.index == label for one, label in zip(best, labels, strict=True)]
        reaches = [one.score >= record["threshold"] for one in best]
        found[views] = np.mean(right)
        assert row["gain"]["top1"] == found[views]
        assert row["gain"]["gain"] == pytest.approx(found[views] - found[1])
        assert row["accepted"] == np.mean(reaches)
        assert row["accepted_right"] == np.mean(np.logical_and(right, reaches))
        assert row["outside_accepted"] == 0
        assert (row["time"] is None) == (views == 1)
    assert found[1] < found[4]  # the middles are right
    assert {key: row["gain"] for key, row in record["test"].items()} == dict.fromkeys("1248", 0)
    assert list(record["shrunk"]) == ["1.0", "1.5", "2.0", "3.0", "6.0"]
    assert set(record["camera_time"]) == set(record["test_time"]) == {"2", "4", "8"}
    assert "On 6 photographs" in result.stdout
    assert f"| `{UINT8}` | 4 | {found[4]:.1%} |" in result.stdout


def test_a_gain_has_the_sign_of_the_better(folder):
    one, several = (np.eye(3, dtype=np.float32)[found] for found in ([0, 0, 0], [0, 1, 0]))
    better = gain(one, several, np.array([0, 1, 2]))
    assert (better.top1, better.gain) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert better.low < better.gain < better.high
    assert gain(several, one, np.array([0, 1, 2])).high == pytest.approx(-better.low)


def test_the_geometric_mean_heeds_the_least(folder):
    path = folder / "photographs" / "red" / "0.png"
    with Classifier(UINT8, views=4) as classifier:
        scores = classifier.scores_of_views(path)
    found = averaged(UINT8, 4, [path])
    np.testing.assert_allclose(found.arithmetic, [scores.mean(axis=0)])
    np.testing.assert_allclose(
        found.geometric, [np.prod(scores + 1 / 512, axis=0) ** 0.25], rtol=1e-5
    )


def test_small_images_are_tried_with_the_same_views():
    image = photograph(0)
    with Classifier(UINT8) as one, Classifier(UINT8, views=4) as four:
        for views, classifier in ((1, one), (4, four)):
            np.testing.assert_allclose(
                scores_at_any_size(one, image, 4, views), classifier.scores(image), atol=1e-6
            )
        small = shrunk(image, 4)
        assert small.size == (7, 4)
        assert not np.allclose(scores_at_any_size(one, small, 4, 4), four.scores(small), atol=1e-3)
    assert shrunk(image, 100) is image


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nowhere"], 2, "FOLDER nowhere does not exist"),
        (["{}/photographs", "nope"], 2, "There is no model nope"),
        (["{}/photographs", UINT8, "--outside", "nowhere"], 2, "--outside nowhere does not exist"),
        (["{}/photographs", UINT8, "--out", "{}/outside/0.png"], 2, "exists; add --overwrite"),
        (["{}/outside", UINT8], 1, "views: "),
        (["{}/photographs", "cnn-int8"], 1, "it has 10; name another model"),
    ],
)
def test_what_cannot_be_measured(folder, arguments, code, said):
    result = run(*(argument.format(folder) for argument in arguments))
    assert result.exit_code == code
    assert said in " ".join(result.stderr.replace("│", " ").split())
