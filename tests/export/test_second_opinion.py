"""When a model should ask another one, from held-out images."""

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from edge_runtime import Classifier
from edge_runtime.inference.acceptance import bounded
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.tflite.metadata import detached
from export import second_opinion as command
from export.measured import key
from export.second_opinion import PairScores, choose, entry
from tests.conftest import GOLDEN
from tests.pair_files import COLOURS, golden_pair
from train.dataset import DataError, Dataset, Split

APP = typer.Typer()
APP.command()(command.main)


def drawn(images=3000, *, second_right=0.95, seed=0):
    """Scores of two models: the first is right as often as its best score says."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, images)
    first = _scores(rng, labels, best := 0.5 + 0.5 * rng.random(images) ** 0.2, best)
    second = _scores(rng, labels, np.full(images, 0.98), second_right)
    return first, second, labels


def _scores(rng, labels, best, right):
    found = np.where(rng.random(len(labels)) < right, labels, (labels + 1) % 3)
    scores = np.repeat((1 - best[:, None]) / 2, 3, axis=1)
    scores[np.arange(len(labels)), found] = best
    return scores.astype(np.float32)


def accuracy(first, second, labels, threshold):
    return np.mean(PairScores(first, second).decided(threshold).argmax(axis=1) == labels)


def test_the_lowest_threshold_within_an_error_of_the_best():
    first, second, labels = drawn()
    chosen = choose(first, second, labels)
    curve = [accuracy(first, second, labels, n / 256) for n in range(257)]
    best = int(np.argmax(curve))
    assert 0.5 < chosen <= best / 256
    assert curve[best] > curve[0]

    def behind(n):
        """Return by how many of its errors a threshold's accuracy is below the best."""
        right, of_best = (
            PairScores(first, second).decided(t / 256).argmax(axis=1) == labels for t in (n, best)
        )
        differ = right != of_best
        lost = of_best.sum() - right.sum()
        return 0 if lost == 0 else lost / np.sqrt(differ.sum())

    assert behind(int(chosen * 256)) <= 1
    assert all(behind(n) > 1 for n in range(int(chosen * 256)))


def test_a_model_that_does_not_help_is_never_asked():
    first, _, labels = drawn()
    assert choose(first, first, labels) == 0
    assert choose(first, np.full_like(first, 1 / 3), labels) == 0


def dataset(held_out_labels, test_labels):
    def part(labels):
        return Split(np.zeros((len(labels), 4, 4, 3), np.uint8), labels, ("",) * len(labels))

    held_out, test = part(held_out_labels), part(test_labels)
    return Dataset(held_out, held_out, test, COLOURS)


def test_the_entry_counts():
    first, second, labels = drawn()
    *test, test_labels = drawn(4000, seed=1)
    data = dataset(labels, test_labels)
    of_test = PairScores(*test)
    found = json.loads(json.dumps(entry("big", PairScores(first, second), of_test, data)))
    below = found["unsure_below"]
    assert (found["name"], found["images"]) == ("big", 3000)
    assert found["measured_on"] == "3,000 held-out images"
    assert found["asked"] == np.mean(first.max(axis=1) < below)
    assert found["top1"] == {
        "first": accuracy(first, second, labels, 0),
        "second": accuracy(second, second, labels, 0),
        "both": accuracy(first, second, labels, below),
    }
    assert found["top1"]["both"] > found["top1"]["first"]
    acceptance = found["acceptance"]
    assert acceptance["images"] == 3000
    assert acceptance["bounds"]["measured_on"] == "4,000 test images"
    _, images, wrong = acceptance["leads"][0]
    assert images == 4000
    assert wrong == (of_test.decided(below).argmax(axis=1) != test_labels).sum()
    assert wrong / images < bounded(acceptance["leads"])[0].bound


@pytest.fixture
def pair(tmp_path, monkeypatch):
    """Two files without an entry, with drawn scores on a drawn data set."""
    first, second = golden_pair(tmp_path)
    scores = dict(zip((first, second), drawn(400)[:2], strict=True))
    labels = drawn(400)[2]
    data = dataset(labels, labels)
    monkeypatch.setattr(command, "load_for", lambda path, sides: data)
    monkeypatch.setattr(command, "file_scores", lambda path, images: scores[path])
    return first, second


def run(*arguments):
    return CliRunner().invoke(APP, [str(argument) for argument in arguments])


def test_the_command_writes_the_entry_and_leaves_the_graph(pair):
    first, second = pair
    before, card = detached(first.read_bytes()), read_metadata(first).card
    refused = run(*pair)
    assert (refused.exit_code, "exists; add --overwrite" in refused.output) == (2, True)
    result = run(*pair, "--overwrite")
    assert result.exit_code == 0, result.output
    assert "asks second below 0." in result.stdout
    assert "of 400 held-out images; top-1 " in result.stdout
    assert detached(first.read_bytes()) == before
    changed = read_metadata(first).card
    [found] = changed["second_opinions"].values()
    assert found["measured_on"] == "400 held-out images"
    assert {k: v for k, v in changed.items() if k != "second_opinions"} == {
        k: v for k, v in card.items() if k != "second_opinions"
    }
    assert key(changed) == key(card)  # what is recorded of a model stays valid
    with Classifier(first, second_opinion=second) as classifier:
        assert classifier.second.unsure_below == found["unsure_below"]


def test_another_file_can_be_written(pair, tmp_path):
    before = pair[0].read_bytes()
    assert run(*pair, "--out", tmp_path / "out.tflite").exit_code == 0
    assert pair[0].read_bytes() == before
    assert run(*pair, "--out", pair[1], "--overwrite").exit_code == 2


def test_what_cannot_be_measured_is_said(pair, monkeypatch, tmp_path):
    first, second = pair
    result = run(GOLDEN / "uint8.tflite", second, "--out", tmp_path / "x.tflite")
    assert (result.exit_code, "has no model card" in result.output) == (1, True)
    result = run(first, "cnn-int8", "--overwrite")
    assert (result.exit_code, "cnn-int8 is not a file" in result.output) == (2, True)
    result = run(first, second, "--overwrite", "--data", tmp_path / "none")
    assert (result.exit_code, "--data" in result.output) == (2, True)
    monkeypatch.setattr(command, "file_scores", lambda path, images: drawn(400)[0])
    result = run(first, second, "--overwrite")
    assert (result.exit_code, "does not make" in result.output) == (1, True)

    def missing(path, sides):
        raise DataError("There is no data set.")

    monkeypatch.setattr(command, "load_for", missing)
    result = run(first, second, "--overwrite")
    assert (result.exit_code, "There is no data set." in result.output) == (1, True)
