"""A pair of model files as a row of its own."""

import shutil
from itertools import cycle

import numpy as np
import pytest
from PIL import Image

from benchmarks import pairs
from benchmarks.contenders import Contender
from edge_runtime import Classifier
from edge_runtime.inference import shipped
from tests.benchmarks.test_command import run
from tests.pair_files import add_entry

ROW = "cnn+resnet18-int8, edge_runtime, xnnpack"


@pytest.fixture
def files(tmp_path):
    first = shutil.copy(shipped.models()["cnn-int8"], tmp_path / "cnn-int8.tflite")
    second = shipped.models()["resnet18-int8"]
    add_entry(first, second)
    return first, second


def samples():
    return [np.asarray(Image.open(path)) for path in shipped.samples().values()]


def test_the_card_names_the_pair(files):
    [pair] = pairs.pairs_of(files, ["xnnpack"], [1], lambda: cycle(samples()))
    assert isinstance(pair, Contender)
    assert (pair.subject.name, pair.path) == (ROW, files[0])
    assert pair.size_bytes == sum(path.stat().st_size for path in files)
    assert list(pairs.pairs_of(files[:1], ["xnnpack"], [1], samples)) == []
    others = (shipped.models()["cnn-float32"], files[1])
    assert list(pairs.pairs_of(others, ["xnnpack"], [1], samples)) == []


def test_a_runner_scores_times_and_counts(files, monkeypatch):
    monkeypatch.setattr(pairs, "PER_CALL", 3)
    [pair] = pairs.pairs_of(files, ["xnnpack"], [1], lambda: cycle(samples()))
    runner = pair.open()
    with Classifier(files[0], second_opinion=files[1]) as classifier:
        results = [classifier.classify(image) for image in samples()]
        for image in samples():
            assert np.array_equal(runner.scores(image), classifier.scores(image))
    assert runner.asked == np.mean([result.model != "cnn-int8" for result in results]) > 0
    images = runner.ready(samples()[0])
    runner.run(images)
    assert np.array_equal(next(images), samples()[3])


def test_the_report_has_a_row_for_the_pair(tmp_path, files, small_data, monkeypatch):
    monkeypatch.setattr(pairs, "PER_CALL", 2)
    result, rows = run(tmp_path / "out", *files)
    assert result.exit_code == 0, result.output
    row = rows[ROW]
    assert row["accuracy"]["images"] == 20
    assert 0 < row["accuracy"]["asked"] <= 1
    assert row["latency"]["against"] == "cnn-int8, edge_runtime, xnnpack"
    alone = rows["cnn-int8, edge_runtime, xnnpack"]["latency"]["p50_us"]
    assert row["latency"]["p50_us"] > alone  # per image, although a call takes two
    assert (row["macs"], row["latency"]["of_peak"]) == (None, None)
    table = (tmp_path / "out" / "report.md").read_text()
    assert "| cnn+resnet18 int8 | edge_runtime, xnnpack |" in table
    assert ", second model asked about " in table
