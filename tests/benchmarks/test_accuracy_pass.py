from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks import accuracy_pass
from benchmarks.contenders import Contender
from benchmarks.results import Results, Subject
from edge_runtime.errors import ModelError
from train.dataset import Split

LABELS = np.array([0, 1, 2, 2])


def scores(predicted):
    return np.eye(3, dtype=np.float32)[predicted]


def test_figures_compared_with_float32():
    base, other = scores([0, 1, 2, 0]), scores([0, 0, 0, 2])
    found = accuracy_pass.figures(other, LABELS, base)
    assert (found["images"], found["top1"], found["drop"]) == (4, 0.5, 0.25)
    assert (found["lost"], found["gained"], found["agreement"]) == (2, 1, 0.25)
    assert found["per_class_drop"] == [0, 1, 0]
    assert found["flipped"] == [[1, 1, 1, 0], [2, 2, 2, 0], [3, 2, 0, 2]]
    assert found["confusion_difference"] == [[0, 0, 0], [1, -1, 0], [0, 0, 0]]
    assert found["drop_low"] < 0.25 < found["drop_high"]
    assert found["top1_low"] < 0.5 < found["top1_high"]


def test_without_float32_there_is_no_drop():
    found = accuracy_pass.figures(scores([0, 1, 2, 0]), LABELS, None)
    assert found["top1"] == 0.75
    assert {"drop", "p_value", "agreement"}.isdisjoint(found)


class Fixed:
    """A runner that predicts the first pixel of an image plus `shift`."""

    def __init__(self, shift):
        self._shift = shift

    def scores(self, image):
        return scores((int(image[0, 0, 0]) + self._shift) % 3)


def contender(precision, opens, **subject):
    return Contender(
        Subject("net", precision, "edge_runtime", "xnnpack", **subject), Path(), 1, "", opens
    )


def test_rows_with_a_batch_are_evaluated_with_one_image_per_call():
    images = np.zeros((4, 2, 2, 3), np.uint8)
    images[:, 0, 0, 0] = LABELS
    of_batch = contender("int8", no_model, batch=32)
    of_batch = replace(of_batch, open_single=lambda: Fixed(0))
    results = Results()
    test = Split(images, LABELS, ("",) * 4)
    accuracy_pass.run([of_batch], results, test, ("a", "b", "c"), say=lambda line: None)
    assert results.rows[of_batch.subject.name].accuracy["top1"] == 1


def no_model():
    raise ModelError("It is broken; export it again.")


def test_rows_are_compared_with_float32_in_any_order():
    images = np.zeros((4, 2, 2, 3), np.uint8)
    images[:, 0, 0, 0] = LABELS
    test = Split(images, LABELS, ("",) * 4)
    results = Results()
    opened = []

    def shifted():
        opened.append(1)
        return Fixed(1)

    accuracy_pass.run(
        [
            contender("int8", shifted),
            contender("int8", shifted, threads=2),
            contender("broken", no_model),
            contender("random", no_model, trained=False),
            contender("float32", lambda: Fixed(0)),
        ],
        results,
        test,
        ("a", "b", "c"),
        say=lambda line: None,
    )
    rows = {(r.subject.precision, r.subject.threads): r for r in results.rows.values()}
    assert rows["float32", 1].accuracy["top1"] == 1
    assert rows["int8", 1].accuracy["drop"] == 1
    assert rows["int8", 2].accuracy == rows["int8", 1].accuracy
    assert len(opened) == 1  # threads change no predictions
    assert rows["broken", 1].reasons == {"accuracy": "It is broken; export it again."}
    assert rows["random", 1].reasons == {"accuracy": "its weights are random"}
    assert set(results.thumbnails) == {"0", "1", "2", "3"}
    assert results.thumbnails["0"].startswith("data:image/png;base64,")
