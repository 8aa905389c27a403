"""Programs of other authors run the shipped models unchanged."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from export import committed
from tests.conftest import ROOT
from tests.taught import CLASSES, draw

PYTHON = ROOT / ".venv-clients" / "bin" / "python"
IMAGES = committed.read().held_out.images[::2][:200]
needs_mediapipe = pytest.mark.skipif(
    not (ROOT / ".venv-clients" / "ready").exists(),
    reason="MediaPipe is not installed; run: make .venv-clients/ready",
)


def mediapipe(model: Path, images, tmp_path) -> list[dict[str, float]]:
    """Return MediaPipe's scores of each image by label."""
    archive = tmp_path / "images.npz"
    np.savez(archive, **{f"{i:05}": image for i, image in enumerate(images)})
    command = [PYTHON, ROOT / "tests" / "mediapipe_client.py", model, archive]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def our_labels(model: str, images) -> list[str]:
    with Classifier(model) as classifier:
        return [classifier.classify(image)[0].label for image in images]


def agreement(results: list[dict[str, float]], labels: list[str]) -> float:
    """Return the share of images whose highest score is that of the expected label."""
    best = [max(scores, key=scores.__getitem__) for scores in results]
    return float(np.mean([a == b for a, b in zip(best, labels, strict=True)]))


@needs_mediapipe
@pytest.mark.parametrize("model", shipped.models())
def test_mediapipe_gives_our_labels_and_scores(model, tmp_path):
    results = mediapipe(shipped.models()[model], IMAGES, tmp_path)
    with Classifier(model) as classifier:
        scores = np.stack([classifier.scores(image) for image in IMAGES])
        assert {*results[0]} == {*classifier.labels}
        theirs = np.array([[a[label] for label in classifier.labels] for a in results])
    assert (theirs.argmax(axis=1) == scores.argmax(axis=1)).all()
    # Both use XNNPACK, but different releases may round one step (1/256) differently.
    np.testing.assert_allclose(theirs, scores, atol=1e-4 if model == "cnn-float32" else 1.5 / 256)


@needs_mediapipe
def test_mediapipe_runs_a_taught_model(taught, tmp_path):
    """On images of the model's size, because MediaPipe does not antialias."""
    rng = np.random.default_rng(1)
    images = [
        np.asarray(draw(name, rng).resize((224, 224), Image.Resampling.BICUBIC))
        for name in CLASSES * 5
    ]
    with Classifier(taught) as classifier:
        scores = np.stack([classifier.scores(image) for image in images])
        labels = classifier.labels
    theirs = np.array([[a[label] for label in labels] for a in mediapipe(taught, images, tmp_path)])
    # Many layers of int8 arithmetic in two releases of XNNPACK
    np.testing.assert_allclose(theirs, scores, atol=8 / 256)


def photographs(count: int = 200) -> list[np.ndarray]:
    """Return square crops of scikit-image's photographs, each side at least 128 pixels."""
    from skimage import data

    sources = [
        getattr(data, name)() for name in ("chelsea", "astronaut", "coffee", "rocket", "colorwheel")
    ]
    rng = np.random.default_rng(0)
    cut = []
    for index in range(count):
        whole = sources[index % len(sources)][..., :3]
        side = int(rng.integers(128, min(whole.shape[:2]) + 1))
        top, left = (int(rng.integers(0, n - side + 1)) for n in whole.shape[:2])
        cut.append(np.ascontiguousarray(whole[top : top + side, left : left + side]))
    return cut


@needs_mediapipe
@pytest.mark.slow
def test_mediapipe_agrees_only_on_photographs_shrunk_before(tmp_path, capsys):
    """MediaPipe does not antialias; docs/export.md says how to shrink, and what it costs."""
    images = photographs()
    expected = our_labels("cnn-int8", images)
    shrunk = [
        np.asarray(ImageOps.fit(Image.fromarray(p), (32, 32), Image.Resampling.BICUBIC))
        for p in images
    ]
    with_it = agreement(mediapipe(shipped.models()["cnn-int8"], shrunk, tmp_path), expected)
    without = agreement(mediapipe(shipped.models()["cnn-int8"], images, tmp_path), expected)
    with capsys.disabled():
        print(f"\nMediaPipe agrees on {with_it:.1%} of shrunk photographs, {without:.1%} of others")
    assert with_it >= 0.95
    assert without < with_it


def test_litert_s_interpreter_takes_raw_pixels():
    """Load, set and invoke, as in LiteRT's documentation."""
    interpreter = Interpreter(model_path=str(shipped.models()["cnn-int8"]))
    interpreter.allocate_tensors()
    [image], [scores] = interpreter.get_input_details(), interpreter.get_output_details()
    with Classifier("cnn-int8") as classifier:
        for pixels in IMAGES:
            interpreter.set_tensor(image["index"], pixels[np.newaxis])
            interpreter.invoke()
            raw = interpreter.get_tensor(scores["index"])[0]
            np.testing.assert_array_equal(raw / np.float32(256), classifier.scores(pixels))
