import json
from types import MappingProxyType

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, ImageError, ModelError, OptionError, Prediction
from edge_runtime.inference import shipped
from tests.conftest import GOLDEN

COLOURS = {"red": 0, "green": 1, "blue": 2}
PRECISIONS = ["float32", "uint8", "int8"]


def picture(colour: str, side: int = 4) -> np.ndarray:
    image = np.zeros((side, side, 3), np.uint8)
    image[..., COLOURS[colour]] = 255
    return image


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("side", [4, 9])
def test_every_precision_finds_the_colour(precision, colour, side):
    with Classifier(GOLDEN / f"{precision}.tflite") as classifier:
        [best] = classifier.classify(picture(colour, side))
    assert best.label == colour
    assert best.index == COLOURS[colour]
    assert best.score > 0.99


def test_precisions_agree_within_their_steps():
    image = np.random.default_rng(0).integers(0, 256, (4, 4, 3), np.uint8)
    expected, *others = (Classifier(GOLDEN / f"{p}.tflite").scores(image) for p in PRECISIONS)
    for scores in others:
        # Means (0-1) and logits (0-8) may each be off by one step of 1/255 of their range, which
        # is 2 x 8/255 in a logit and twice that in the difference of two; the slope of softmax is
        # at most 1/4. The output's own step is 1/256.
        np.testing.assert_allclose(scores, expected, atol=4 * 8 / 255 / 4 + 1 / 256)


def test_scores_are_the_formula():
    image = np.full((4, 4, 3), (255, 51, 0), np.uint8)
    logits = 8 * np.array([1.0, 0.2, 0.0])
    expected = np.exp(logits) / np.exp(logits).sum()
    scores = Classifier(GOLDEN / "float32.tflite").scores(image)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_files_and_arrays_give_the_same(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    path = tmp_path / "image.png"
    Image.fromarray(image).save(path)
    classifier = Classifier(GOLDEN / "uint8.tflite")
    assert classifier.classify(path) == classifier.classify(str(path)) == classifier.classify(image)
    assert classifier.classify_batch([path, image]) == [classifier.classify(image)] * 2


def test_top_k_is_sorted_and_stops_at_the_classes():
    classifier = Classifier(GOLDEN / "float32.tflite")
    predictions = classifier.classify(np.full((4, 4, 3), (10, 200, 90), np.uint8), top_k=9)
    assert [p.label for p in predictions] == ["green", "blue", "red"]
    assert [*predictions] == sorted(predictions, key=lambda p: -p.score)
    assert isinstance(predictions[0], Prediction)
    with pytest.raises(ValueError, match="top_k"):
        classifier.classify(picture("red"), top_k=0)


def test_without_labels_the_class_index_stands_in():
    assert Classifier(GOLDEN / "unlabelled.tflite").labels == ("0", "1", "2")


def test_threads_do_not_change_the_scores():
    image = Image.open(shipped.samples()["cat"])
    one, two = (Classifier(threads=n).scores(np.asarray(image)) for n in (1, 2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("name", ["two_inputs", "no_image", "image_to_image"])
def test_other_graphs_are_refused(name):
    with pytest.raises(ModelError, match=f"{name}.tflite is not an image classifier"):
        Classifier(GOLDEN / f"{name}.tflite")


@pytest.mark.parametrize("keep", [0, 100, 1000])
def test_damaged_models_are_refused(tmp_path, keep):
    path = tmp_path / "cut.tflite"
    path.write_bytes((GOLDEN / "uint8.tflite").read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"cut\.tflite is "):
        Classifier(path)


def test_missing_models_are_named_with_the_shipped_ones(tmp_path):
    with pytest.raises(ModelError, match=r"no model nope; .*cnn-float32, cnn-int8, resnet18-int8"):
        Classifier("nope")


def test_labels_must_be_as_many_as_classes(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes((GOLDEN / "uint8.tflite").read_bytes().replace(b"green\nblue", b"green,blue"))
    classifier = Classifier(path)
    assert classifier.labels == ("0", "1", "2")
    assert classifier.warnings == ("it carries 2 labels for 3 classes; ignored",)
    assert Classifier(path, labels=["r", "g", "b"], mean=[0], std=[255], fit="pad").warnings == ()
    with pytest.raises(ModelError, match=r"Expected `labels` to be 3 names, .* but got 0"):
        Classifier(GOLDEN / "uint8.tflite", labels=[])
    with pytest.raises(ValueError, match="Expected `labels` to be a list of names, but got 'rgb'"):
        Classifier(GOLDEN / "uint8.tflite", labels="rgb")


@pytest.mark.parametrize("mean", [127.5, np.float32(127.5), [127.5], np.full(3, 127.5)])
def test_one_number_may_be_the_mean_of_all_channels(mean):
    of_three = Classifier(GOLDEN / "float32.tflite", mean=[127.5] * 3, std=[255] * 3)
    with Classifier(GOLDEN / "float32.tflite", mean=mean, std=255) as classifier:
        np.testing.assert_array_equal(
            classifier.scores(picture("red")), of_three.scores(picture("red"))
        )


def test_numbers_may_be_numpy_s(tmp_path):
    """Other processes get the arguments as JSON."""
    options = {"accept_all": True, "threads": np.int64(2), "labels": np.arange(3)}
    with Classifier(GOLDEN / "uint8.tflite", **options) as classifier:
        assert classifier.labels == ("0", "1", "2")
        json.dumps(classifier.arguments())
    limits = MappingProxyType({"cat": np.float32(0.5)})
    options = {"second_opinion": "resnet18-int8", "unsure_below": np.float32(1)}
    with Classifier(max_error=limits) as gate, Classifier(**options) as pair:
        json.dumps([gate.arguments(), pair.arguments()])
    with pytest.raises(TypeError, match="float"):
        Classifier(threads=1.5)
    with pytest.raises(ValueError, match="Expected `max_error` to be above 0 and below 1"):
        Classifier(max_error={3: 0.1})


def test_a_single_name_is_no_batch():
    with Classifier() as classifier, pytest.raises(ValueError, match="`images` to be a list of"):
        classifier.classify_batch("ship.png")


def test_a_result_with_an_error_is_not_accepted(tmp_path):
    with Classifier() as classifier:
        [result] = classifier.classify_batch([tmp_path / "missing.png"])
    assert (result.accepted, len(result)) == (False, 0)
    assert result.error is not None


def test_means_may_be_an_array():
    one = Classifier("cnn-float32", mean=[0, 1, 2], std=[255, 254, 253])
    other = Classifier("cnn-float32", mean=np.arange(3.0), std=np.array([255, 254, 253]))
    np.testing.assert_array_equal(*(c.scores(shipped.samples()["cat"]) for c in (one, other)))
    json.dumps(other.arguments())


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        None,
        b"\x89PNG" * 1000,
    ],
)
def test_arrays_that_are_no_images(image):
    with pytest.raises(ImageError, match=r"be a path, a Pillow image or uint8.{,60}$"):
        Classifier(GOLDEN / "uint8.tflite").classify(image)


def test_a_closed_classifier_says_so():
    classifier = Classifier(GOLDEN / "uint8.tflite")
    classifier.close()
    classifier.close()
    with pytest.raises(ValueError, match="closed"):
        classifier.classify(picture("red"))


def test_shipped_files():
    assert list(shipped.models()) == ["cnn-float32", "cnn-int8", "resnet18-int8"]
    assert shipped.DEFAULT_MODEL in shipped.models()
    labels = Classifier().labels
    assert len(labels) == 10
    assert sorted(labels) == list(shipped.samples())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "I;16", "CMYK"])
def test_an_image_of_pillow_is_classified_like_its_file(tmp_path, mode):
    with Image.open(shipped.samples()["ship"]) as image:
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
        else:
            image = image.convert(mode)
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    image.save(path)
    pixels = np.asarray(image).copy()
    with Classifier() as classifier:
        assert np.array_equal(classifier.scores(image), classifier.scores(path))
        assert np.array_equal(np.asarray(image), pixels)  # the caller's image stays as it is
        with Image.open(path) as opened:  # not decoded yet
            assert classifier.classify(opened) == classifier.classify(path)


def test_a_damaged_image_of_pillow_is_an_image_error(tmp_path):
    path = tmp_path / "cut.png"
    path.write_bytes(shipped.samples()["ship"].read_bytes()[:200])
    with (
        Image.open(path) as opened,
        Classifier() as classifier,
        pytest.raises(ImageError, match=r"cut\.png is damaged"),
    ):
        classifier.classify(opened)


@pytest.mark.parametrize("std", [-255.0, 0.0, (1.0, -1.0, 1.0)])
def test_deviations_are_positive(std):
    with pytest.raises(OptionError, match="Expected `std` to be positive"):
        Classifier(std=np.atleast_1d(std))


def test_a_normalization_that_replaces_the_file_s_own_is_said():
    with Classifier(mean=[1], std=[255]) as classifier:
        assert classifier.warnings == ("--mean replaces the file's own, (0, 0, 0)",)
    with Classifier(mean=[0, 0, 0]) as classifier:
        assert classifier.warnings == ()


def test_auto_does_not_advise_auto():
    with Classifier(delegate="auto") as classifier:
        assert "use --delegate" not in classifier.reason
        assert "not npu: " in classifier.reason


def test_a_feature_extractor_is_no_classifier():
    backbone = shipped.MODELS.parent / "backbones" / "efficientnet-lite0-int8.tflite"
    with pytest.raises(ModelError, match=r"gives features instead of scores; .* edge-teach"):
        Classifier(backbone)
