"""The input tensor for every kind of model, and what has to be assumed."""

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, ImageError, ModelError
from edge_runtime.inference.metadata import Metadata
from edge_runtime.inference.preprocessing import Preprocessing
from edge_runtime.inference.quantization import Quantization
from edge_runtime.inference.signature import Tensor
from tests.conftest import GOLDEN

RAMP = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3) * 5


def prepared(dtype, scale=0.0, zero_point=0, channels=3, metadata=None, **options):
    tensor = Tensor((1, 4, 4, channels), np.dtype(dtype), Quantization(scale, zero_point))
    options = {"mean": None, "std": None, "how": None} | options
    return Preprocessing(tensor, metadata or Metadata(), **options)


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "expected"),
    [
        (np.float32, 0.0, 0, RAMP / np.float32(255)),
        (np.uint8, 1 / 255, 0, RAMP),
        (np.uint8, 1 / 128, 128, RAMP),
        (np.uint8, 0.0, 0, RAMP),  # without a scale: the graph takes raw bytes
        (np.int8, 1 / 128, 0, RAMP.astype(int) - 128),
        (np.int16, 1 / 32767, 0, np.rint(RAMP / 255 * 32767)),
    ],
)
def test_without_metadata_the_usual_pre_processing_is_assumed(dtype, scale, zero_point, expected):
    prepare = prepared(dtype, scale, zero_point)
    raw = prepare(RAMP)
    assert raw.dtype == dtype
    np.testing.assert_allclose(raw[0], expected, rtol=1e-6)
    assert len(prepare.assumptions) == 2


def test_the_caller_overrides_the_file_and_channels_may_differ():
    says = Metadata(mean=(127.5,), std=(127.5,), fit="pad")
    of_file = prepared(np.float32, metadata=says)
    np.testing.assert_allclose(of_file(RAMP)[0], (RAMP - 127.5) / 127.5, rtol=1e-5)
    assert (of_file.assumptions, of_file.fit) == ((), "pad")
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
    ours = prepared(np.float32, metadata=says, mean=mean, std=std, how="stretch")
    np.testing.assert_allclose(ours(RAMP)[0], (RAMP - np.array(mean)) / std, rtol=1e-5)
    assert (ours.assumptions, ours.fit) == ((), "stretch")


def test_a_mean_or_deviation_alone_is_completed_and_listed():
    fit = "images of another shape are cropped to their centre"
    assert prepared(np.float32, mean=[10.0]).assumptions == (
        "a pixel x goes in as (x - 10) / 255",
        fit,
    )
    assert prepared(np.float32, std=[1.5, 2.0, 3.0], how="pad").assumptions == (
        "a pixel x goes in as (x - 0) / (1.5, 2, 3)",
    )
    assert prepared(np.float32, mean=[0.0], std=[255.0]).assumptions == (fit,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mean": [1.0, 2.0]}, "`mean` to be one number, or 3"),
        ({"std": [0.0]}, "`std` to be positive, but got 0"),
        ({"mean": [float("nan")]}, "`mean`"),
    ],
)
def test_wrong_normalizations_are_rejected(options, message):
    with pytest.raises(ModelError, match=message):
        prepared(np.float32, **options)


def test_grey_models_get_the_luma():
    image = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    np.testing.assert_allclose(prepared(np.float32, channels=1)(image), 76 / 255, rtol=1e-6)


def test_fits_differ(tmp_path):
    """The left third of the image is red, the middle green, the right blue."""
    image = np.zeros((30, 90, 3), np.uint8)
    for channel in range(3):
        image[:, 30 * channel : 30 * (channel + 1), channel] = 255
    path = tmp_path / "wide.png"
    Image.fromarray(image).save(path)
    with pytest.raises(ValueError, match="`fit`"):
        Classifier(GOLDEN / "float32.tflite", fit="squash")
    scores = {
        fit: Classifier(GOLDEN / "float32.tflite", fit=fit).scores(path)
        for fit in ("crop", "stretch", "pad")
    }
    assert scores["crop"].argmax() == 1
    assert scores["crop"][1] > 0.9
    np.testing.assert_allclose(scores["stretch"], 1 / 3, atol=0.1)
    # Three quarters of the padded image are black, so the softmax of the means is flatter.
    assert np.ptp(scores["pad"]) < np.ptp(scores["crop"])
    padded = prepared(np.uint8, 1 / 255, how="pad")(path)[0]
    assert padded[0].max() == padded[3].max() == 0
    assert padded[1].max() > 100


@pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((2, 2, 3)), None, 7])
def test_arguments_that_are_not_images_are_rejected(image):
    with pytest.raises(ImageError, match="Expected `image`"):
        prepared(np.float32)(image)


@pytest.mark.parametrize("model", ["float32", "int16", "logits"])
@pytest.mark.parametrize(("colour", "index"), [("red", 0), ("green", 1), ("blue", 2)])
def test_every_kind_of_model_finds_the_colour(model, colour, index):
    image = np.asarray(Image.new("RGB", (9, 7), colour))
    classifier = Classifier(GOLDEN / f"{model}.tflite", labels=["r", "g", "b"])
    [best] = classifier.classify(image)
    assert (best.index, best.label) == (index, "rgb"[index])
    # Pure red, blue: logits 8, 0, 0. Pillow's green is (0, 128, 0): 4, 0, 0.
    expected = np.exp(4 if colour == "green" else 8)
    assert best.score == pytest.approx(expected / (expected + 2), abs=0.01)


def test_a_grey_model_whose_scores_have_four_dimensions():
    classifier = Classifier(GOLDEN / "grey.tflite")
    levels = [np.full((4, 4, 3), level, np.uint8) for level in (0, 128, 255)]
    assert [classifier.classify(level)[0].index for level in levels] == [0, 1, 2]
    assert classifier.assumptions == (
        "a pixel x goes in as (x - 0) / 255",
        "images of another shape are cropped to their centre",
        "class numbers stand in for labels",
    )


def test_logits_are_recognized():
    assert "logits" in Classifier(GOLDEN / "logits.tflite").assumptions[-1]
    assert not any("logits" in a for a in Classifier(GOLDEN / "float32.tflite").assumptions)


def test_there_must_be_one_label_a_class():
    with pytest.raises(ModelError, match=r"Expected `labels` to be 3 names, .* but got 2"):
        Classifier(GOLDEN / "float32.tflite", labels=["a", "b"])


def test_an_input_of_raw_bytes_heeds_the_caller_and_not_the_file():
    """What a file says of real values does not concern an input that has none."""
    of_file = Metadata(mean=(127.5,), std=(127.5,), fit="pad")
    np.testing.assert_array_equal(prepared(np.uint8, metadata=of_file)(RAMP)[0], RAMP)
    halved = prepared(np.uint8, metadata=of_file, mean=[0], std=[2])(RAMP)[0]
    np.testing.assert_array_equal(halved, np.rint(RAMP / 2))
