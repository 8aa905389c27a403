"""What an export's card says about acceptance."""

import json
from dataclasses import replace

import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.inference.acceptance import LEVEL, accept, bounded
from edge_runtime.inference.metadata import read_metadata
from export import measured, report, verify
from export.pipeline import QuantizationMode, export_tflite
from train.dataset import Dataset


@pytest.fixture(scope="module")
def held_out_scores(cnn):
    return verify.file_scores(shipped.models()["cnn-float32"], cnn.held_out.images)


@pytest.fixture
def with_data(cnn):
    """The shipped CNN as if the committed held-out images were those of the whole data set."""
    held_out = cnn.held_out
    data = Dataset(held_out, held_out, held_out, cnn.class_names)
    return replace(cnn, data=data, judged_on="500 held-out images")


def test_the_held_out_images_are_counted(with_data, held_out_scores, tmp_path):
    out = tmp_path / "x.tflite"
    made = export_tflite(QuantizationMode.NONE, out, with_data)
    card = read_metadata(out).card["acceptance"]
    assert card == made.acceptance
    assert (card["images"], card["measured_on"]) == (500, "500 held-out images")
    assert report.lines(made, "500 held-out images")[2].startswith(
        f"accepts scores from {card['threshold']:.3f}: 9"
    )
    right = held_out_scores.argmax(axis=1) == with_data.held_out.labels
    assert card["leads"][0] == [0, 500, int((~right).sum())]
    with Classifier(out) as classifier:
        best = held_out_scores.max(axis=1)
        assert classifier.acceptance.threshold == card["threshold"]
        assert np.mean(best >= card["threshold"]) >= 0.95


def test_the_bounds_come_from_the_test_images_and_allow_for_looks_at_them(
    with_data, held_out_scores
):
    float32 = shipped.models()["cnn-float32"]
    found = measured.measured({}, float32, held_out_scores, with_data)["acceptance"]
    assert (found["measured_on"], found["compared"]) == ("500 held-out images", 100)
    looks = found["bounds"]["compared"]
    assert found["bounds"] == {
        "measured_on": "500 test images",
        "images": 500,
        "compared": looks,
    }
    _, images, wrong, bound = bounded(found["leads"], LEVEL / looks)[0]
    # The binomial probability of so few wrong images, at the bound, is 0.05 / looks.
    counts = np.arange(wrong + 1)
    logs = np.concatenate([[0], np.cumsum(np.log(np.arange(1, images + 1)))])
    ways = logs[images] - logs[counts] - logs[images - counts]
    probability = np.exp(ways + counts * np.log(bound) + (images - counts) * np.log1p(-bound))
    assert probability.sum() == pytest.approx(0.05 / looks, rel=0.02)
    assert accept(found, with_data.class_names, 0.5).promise


def test_without_the_data_set_the_record_counts(cnn, held_out_scores, monkeypatch, tmp_path):
    card = {"network": "cnn", "precision": "float32"}
    float32 = shipped.models()["cnn-float32"]
    monkeypatch.setattr(measured, "RECORD", tmp_path / "measured.json")
    assert measured.measured(card, float32, held_out_scores, cnn) == {}
    known = {"acceptance": {"threshold": 0.5}, "second_opinions": {"a": {"unsure_below": 0.5}}}
    whole = card | known
    assert measured.part(whole) == known
    measured.RECORD.write_text(json.dumps({measured.key(whole): known}))
    assert measured.measured(card, float32, held_out_scores, cnn) == known
    assert measured.measured({**card, "precision": "int8"}, float32, held_out_scores, cnn) == {}
