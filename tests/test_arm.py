"""`make arm` itself: what it was recorded from, what it notices, and that a skip is loud."""

import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from export import committed
from tests.arm import agreement
from tests.conftest import ROOT, run

IMAGES = 100


@pytest.mark.parametrize("model", shipped.models())
def test_this_machine_gives_the_recorded_scores(model):
    with Classifier(model) as classifier:
        images = committed.read().held_out.images[:IMAGES]
        results = [classifier.classify(image, top_k=10) for image in images]
    scores = np.zeros((IMAGES, 10), np.float32)
    for row, result in zip(scores, results, strict=True):
        for prediction in result:
            row[prediction.index] = prediction.score
    assert agreement.compare(scores, agreement.read()[model, "xnnpack"])


@pytest.mark.parametrize(
    ("changed_labels", "step", "agrees"),
    [(0, 0, True), (0, 2, True), (0, 3, False), (2, 0, True), (3, 0, False)],
)
def test_a_disagreement_is_noticed(changed_labels, step, agrees):
    recorded = np.zeros((500, 10), np.float32)
    recorded[:, 0] = 1 / 256
    scores = recorded.copy()
    scores[:changed_labels, 1] = 2 / 256
    scores[-1, 0] += step / 256
    assert bool(agreement.compare(scores, recorded)) == agrees


def test_other_models_than_the_recorded_are_an_error(tmp_path, monkeypatch):
    file = shipped.models()["cnn-int8"]
    for name in shipped.models():
        (tmp_path / f"{name}.tflite").write_bytes(file.read_bytes())
    monkeypatch.setattr(shipped, "MODELS", tmp_path)
    with pytest.raises(ValueError, match="--record"):
        agreement.read()


def test_a_skip_is_loud(tmp_path):
    environment = {"PATH": str(tmp_path), "PYTHONPATH": str(ROOT)}
    result = run("-m", "tests.arm", cwd=ROOT, env=environment)
    assert result.returncode == 0, result.stderr
    assert "SKIPPED" in result.stdout
    assert "sudo apt-get install qemu-user-static" in result.stdout
