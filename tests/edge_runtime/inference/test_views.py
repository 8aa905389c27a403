"""Which views an image has, and that the mean of their scores is what a classifier gives."""

import json

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, OptionError
from edge_runtime.inference import shipped
from edge_runtime.inference.acceptance_table import Judged, measure
from edge_runtime.inference.scores import mean
from edge_runtime.inference.sidecar import write_sidecar
from edge_runtime.inference.views import LARGE, MOST, SMALLEST, View, plain_views
from edge_runtime.inputs.decode import decode
from edge_runtime.jobs.job import Job, dependencies
from edge_runtime.jobs.judge import judge
from tests.conftest import GOLDEN, run

MODEL = GOLDEN / "float32.tflite"  # 4 x 4 pixels; red, green, blue by the mean colour


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def tensors(image, **options) -> list[np.ndarray]:
    with Classifier("cnn-int8", **options) as classifier:
        return classifier.preprocessing.views(classifier.preprocessing.decode(image))


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A JPEG of 480 x 640 pixels with detail at every scale."""
    image = np.zeros((480, 640, 3))
    for size in (4, 16, 64, 256):
        small = Image.fromarray(noise(480 // size + 1, 640 // size + 1, size))
        image += np.asarray(small.resize((640, 480), Image.Resampling.BICUBIC), float) / 4
    path = tmp_path_factory.mktemp("photographs") / "photograph.jpg"
    Image.fromarray(image.astype(np.uint8)).save(path, quality=95)
    return path


def test_the_views_are_the_parts_they_are_said_to_be():
    """The outer fifth of the sides is red, the next one is green, and the middle is blue."""
    image = np.zeros((500, 900, 3), np.uint8)
    image[..., 0] = 255
    image[50:450, 250:650] = (0, 255, 0)
    image[100:400, 300:600] = (0, 0, 255)
    plain = [tensor[0] for tensor in tensors(image, views=4)]
    assert len(plain) == 4
    whole, less, stretched, least = (view.mean(axis=(0, 1)) / 255 for view in plain)
    np.testing.assert_allclose(whole, [1 - 0.64, 0.64 - 0.36, 0.36], atol=0.02)
    np.testing.assert_allclose(less, [0, 1 - 0.5625, 0.5625], atol=0.02)
    np.testing.assert_allclose(least, [0, 0, 1], atol=0.02)
    np.testing.assert_allclose(stretched[2], 300 * 300 / (500 * 900), atol=0.02)


def test_fewer_views_are_the_first_of_more(photograph):
    most = tensors(photograph, views=MOST)
    assert len(most) == MOST
    for count in range(2, MOST):
        fewer = tensors(photograph, views=count)
        assert len(fewer) == count
        for one, other in zip(fewer, most, strict=False):
            np.testing.assert_array_equal(one, other)
    for plain, mirror in zip(most[:4], most[4:], strict=True):
        np.testing.assert_array_equal(plain[0, :, ::-1], mirror[0])


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_the_first_view_is_what_one_view_gives(fit):
    image = noise(300, 500)
    views = tensors(image, views=4, fit=fit)
    [one] = tensors(image, fit=fit)
    with Classifier("cnn-int8", fit=fit) as classifier:
        np.testing.assert_array_equal(classifier.preprocessing(image), one)
    np.testing.assert_array_equal(views[0], one)
    other = "crop" if fit == "stretch" else "stretch"
    np.testing.assert_array_equal(views[2], tensors(image, fit=other)[0])
    assert len({view.tobytes() for view in views}) == 4


@pytest.mark.parametrize(
    ("size", "plain"),
    [((64, 65), 4), ((64, 64), 4), ((63, 640), 1), ((640, 63), 1), ((32, 32), 1), ((10, 10), 1)],
)
def test_small_images_have_only_their_mirror(size, plain):
    image = noise(*size)
    assert [len(tensors(image, views=n)) for n in (2, 4, 5, MOST)] == [
        min(2, plain),
        plain,
        plain + 1,
        2 * plain,
    ]
    np.testing.assert_array_equal(tensors(image, views=5)[-1][0, :, ::-1], tensors(image)[0][0])


def test_the_whole_counts_as_much_as_the_middles_for_square_images_too():
    views = tensors(noise(200, 200), views=4)
    np.testing.assert_array_equal(views[0], views[2])


def test_no_view_is_enlarged():
    assert LARGE * SMALLEST >= 1


def test_inputs_that_are_not_square():
    assert plain_views((200, 400), (50, 100), "pad") == (
        View("pad"),
        View("crop", 0.8),
        View("stretch"),
        View("crop", SMALLEST),
    )
    assert plain_views((99, 400), (50, 100), "crop") == (View("crop"),)


def test_a_jpeg_is_decoded_large_enough_for_its_smallest_part(photograph):
    """A photograph that is reduced while decoding gives nearly the pixels of one that is not."""
    full = decode(photograph)
    for small, whole in zip(
        tensors(photograph, views=4), tensors(np.asarray(full), views=4), strict=True
    ):
        assert np.abs(small.astype(int) - whole).mean() < 1.5
    with Classifier("cnn-int8", views=4) as classifier:
        decoded = classifier.preprocessing.decode(photograph)
    assert min(decoded.size) * SMALLEST >= 2 * 32
    assert decoded.size < full.size  # else this test would say nothing


def test_scores_are_the_mean_of_those_of_the_views(photograph):
    with Classifier("cnn-int8", views=6) as several, Classifier("cnn-int8") as one:
        of_views = several.scores_of_views(photograph)
        scores = several.scores(photograph)
        for tensor, row in zip(tensors(photograph, views=6), of_views, strict=True):
            np.testing.assert_array_equal(one.scores_of(one.invoke(tensor)), row)
        assert several.classify(photograph)[0].score == scores.max()
    assert (scores.dtype, scores.shape, of_views.shape) == (np.float32, (10,), (6, 10))
    sums = of_views.sum(axis=1, keepdims=True)  # less than 1, because the model has an outlier head
    expected = (of_views / sums).mean(axis=0) * sums.mean()
    np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["float32", "uint8", "int8", "int16", "logits", "grey"])
def test_every_kind_of_model_takes_views(name):
    image = np.zeros((20, 30, 3), np.uint8)
    image[..., 0] = 255
    image[:, :15] = (200, 30, 0)
    with Classifier(GOLDEN / f"{name}.tflite", views=MOST) as classifier:
        rows = classifier.scores_of_views(image)
        assert len(rows) == MOST
        np.testing.assert_allclose(classifier.scores(image), mean(rows), atol=1e-6)


@pytest.mark.parametrize("views", [0, -1, MOST + 1])
def test_numbers_that_cannot_be_meant(views):
    with pytest.raises(ValueError, match=f"Expected `views` to be 1 to {MOST}, but got {views}"):
        Classifier(MODEL, views=views)


def test_the_command_refuses_them_too():
    result = run("edge-classify", "--views", "9", shipped.samples()["cat"])
    assert result.returncode == 2
    assert "'--views': 9 is not in the range 1<=x<=8" in result.stderr
    with pytest.raises(TypeError):
        Classifier(MODEL, views=2.5)


def test_the_command_processes_and_resuming_take_the_views(tmp_path):
    """70 images are enough for a pool of processes."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number in range(70):
        Image.fromarray(noise(80, 120, number)).save(folder / f"{number:02}.png")
    out = tmp_path / "results.jsonl"
    command = ["edge-classify", "--model", MODEL, "--json", "--threads", "2", folder]
    result = run(*command, "--views", "3", "--out", out)
    assert result.returncode == 0, result.stderr
    with Classifier(MODEL, views=3) as three, Classifier(MODEL) as one:
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        assert len(lines) == 70
        for line in lines:
            best = three.classify(line["source"])[0]
            assert line["predictions"] == [
                {"label": best.label, "index": best.index, "score": pytest.approx(best.score)}
            ]
        batch = three.classify_batch([line["source"] for line in lines])
        assert [b[0].score for b in batch] != [one.classify(s["source"])[0].score for s in lines]
        made_with = [dependencies(m, {}, Job()) for m in (one, three)]
    assert [each["views"] for each in made_with] == [1, 3]
    json.dumps(made_with)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "colours.tflite"
    path.write_bytes(MODEL.read_bytes())
    return path


def card(views: int = 1):
    best = np.linspace(0.5, 1, 4000)
    found = np.zeros(4000, int)
    return measure(
        Judged(best, 1 - best, found, found, "4,000 images"), ("red", "green", "blue"), views=views
    )


@pytest.mark.parametrize(("measured", "used"), [(1, 4), (4, 1), (4, 8)])
def test_no_promise_for_other_views_than_were_measured(model, measured, used):
    write_sidecar(model, card(measured), overwrite=False)
    with Classifier(model, views=used) as classifier:
        said = f"The threshold was measured with --views {measured}, not with --views {used}."
        assert classifier.acceptance.promise == said  # and stays
    with pytest.raises(OptionError, match=f"with --views {measured}, not with --views {used}; use"):
        Classifier(model, views=used, max_error=0.05)
    with Classifier(model, views=measured, max_error=0.05) as classifier:
        assert "are accepted" in classifier.acceptance.promise


def test_a_judged_model_keeps_a_promise_for_the_views_it_was_judged_with(model, tmp_path):
    folder = tmp_path / "images"
    for at, name in enumerate(("red", "green", "blue")):
        (folder / name).mkdir(parents=True)
        pixels = np.zeros((20, 30, 3), np.uint8)
        pixels[:, :18, at] = 120  # so that the views differ
        for number in range(40):
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    with Classifier(model) as one, Classifier(model, views=4) as four:
        of_one, of_four = (judge(each, folder).acceptance for each in (one, four))
    assert of_one["threshold"] != of_four["threshold"]
    assert (of_one["views"], of_four["views"]) == (1, 4)
    write_sidecar(model, of_four, overwrite=False)
    with Classifier(model, views=4, max_error=0.1) as classifier:
        assert classifier.classify(folder / "red" / "0.png").accepted
