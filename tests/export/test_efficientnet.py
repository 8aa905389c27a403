"""Exporting EfficientNet-Lite0: with ImageNet's classes, with a user's own, and its features."""

import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.inference.metadata import read_metadata
from export import bias, pipeline
from export.deployed import deployed, normalization
from export.inputs import IMAGENET_CLASSES, load_inputs
from export.pipeline import QuantizationMode
from tests.conftest import ROOT
from tests.export.test_refusals import said
from tests.train.small import write_folder
from train import weights
from train.efficientnet import NAME, efficientnet_lite0, feature_extractor

CHECKPOINT = weights.SHIPPED / f"{NAME}.safetensors"


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Images of two classes, and a checkpoint as fine-tuning for them at 128 pixels leaves it."""
    folder = tmp_path_factory.mktemp("own")
    write_folder(folder / "images")
    about = {
        "network": NAME,
        "class_names": ["dark", "light"],
        "recipe": {"architecture": {"side": 128, "stage_features": True}},
    }
    model = efficientnet_lite0(2, side=128, stage_features=True)
    weights.save(model, folder / "own.safetensors", about=about)
    return folder


@pytest.mark.slow
def test_imagenet_s_classes_are_named(tmp_path):
    names = IMAGENET_CLASSES.read_text(encoding="utf-8").splitlines()
    assert len(set(names)) == 1000
    assert names[281] == "tabby"
    inputs = load_inputs(NAME, CHECKPOINT)
    assert inputs.class_names == tuple(names)
    assert not inputs.judges_accuracy
    out = tmp_path / "network.tflite"
    export = pipeline.export_tflite(QuantizationMode.NONE, out, inputs)
    assert export.comparison.agreement == 1
    assert export.comparison.least_cosine > 0.9999
    with Classifier(out) as classifier:
        assert classifier.labels == inputs.class_names
        assert classifier.assumptions == ()
        [prediction] = classifier.classify(ROOT / "examples" / "chelsea.png").predictions
    assert prediction.label in {"tabby", "tiger cat", "Egyptian cat"}
    assert read_metadata(out).card["classes"] == names


@pytest.mark.slow
def test_own_classes_are_judged_on_their_held_out_images(command, own, tmp_path):
    out = tmp_path / "own.tflite"
    arguments = ("--network", NAME, "--checkpoint", own / "own.safetensors", "--out", out)
    result = command(
        *arguments, "--data", own / "images", "--max-drop", "100", "--calibration", "2"
    )
    assert (result.exit_code, result.stderr) == (0, "")
    assert "on 2 held-out images: top-1 " in result.stdout
    assert "lint" not in result.stdout
    card = read_metadata(out).card
    assert card["classes"] == ["dark", "light"]
    assert card["io"]["input"]["shape"] == [1, 128, 128, 3]
    assert (card["calibration"]["images"], card["calibration"]["split"]) == (2, "train")
    assert not {"author", "license", "weights"} & card.keys()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--features",), "cnn has no such variant; add --network efficientnet-lite0"),
        (("--side", "128", "--network", "resnet18"), "omit --side"),
        (("--side", "100", "--network", NAME), "expected 128, 160, 192 or 224 pixels"),
        (("--features", "--max-drop", "1", "--network", NAME), "no labelled image"),
        (("--max-drop", "1", "--network", NAME), "no labelled image"),
        (("--quantize", "qat", "--network", NAME), "it is for cnn and resnet18 only"),
        (("--mixed", "--network", NAME), "it is for cnn and resnet18 only"),
        (("--explain", "--network", NAME), "it is for cnn and resnet18 only"),
        (("--calibration", "100", "--network", NAME), "needs a data set"),
        (("--all", "--features"), "it can be combined only with"),
    ],
)
def test_wrong_options_are_refused(command, arguments, message):
    result = command(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in said(result.stderr)


def test_images_of_other_classes_are_refused(command, own, tmp_path):
    out = ("--out", tmp_path / "x.tflite")
    result = command("--network", NAME, "--data", own / "images", *out)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has ImageNet's 1,000 classes, which committed photographs judge" in result.stderr
    result = command("--network", NAME, "--checkpoint", own / "own.safetensors", *out)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has the classes dark, light; name images of these classes" in result.stderr
    assert not (tmp_path / "x.tflite").exists()


def test_features_may_be_calibrated_on_any_images(own):
    inputs = load_inputs(
        NAME, CHECKPOINT, features=True, side=128, images=str(own / "images/train")
    )
    assert inputs.calibration.split == "folder"
    assert inputs.calibration.images.shape[1:] == (128, 128, 3)


def test_the_exported_part_gives_what_the_network_gives():
    model = efficientnet_lite0(3, side=64, stage_features=True)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)
    pixels = normalization(NAME)
    ready = (images - pixels.mean) / pixels.std
    np.testing.assert_allclose(deployed(model)(ready), model(images), atol=1e-5)
    expected = feature_extractor(model)(images)
    found = deployed(model, features=True)(ready)
    np.testing.assert_allclose(found["features"], expected, atol=1e-5)


def test_depthwise_kernels_have_their_means_corrected():
    model = efficientnet_lite0(3, side=64)
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    corrected = bias.corrected(model, images)
    changed = {
        ours.path
        for ours, was in zip(corrected.weights, model.weights, strict=True)
        if not np.array_equal(ours, was)
    }
    assert "stage1_block1_depthwise_bn/moving_mean" in changed
    assert {path.split("/")[1] for path in changed} == {"moving_mean", "bias"}
