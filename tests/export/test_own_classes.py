"""Exporting a network of a user's own classes: some images calibrate it, others judge it."""

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime import Classifier
from edge_runtime.inference.metadata import read_metadata
from export import calibration, committed, quantize
from export.errors import CalibrationError
from tests.train.small import write_folder
from train import data, weights
from train.architectures import simple_cnn


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A folder with images of two classes, and the checkpoint of a network for these classes."""
    folder = tmp_path_factory.mktemp("own")
    write_folder(folder / "images")
    model = simple_cnn(2)
    *_, logits = [layer for layer in model.layers if layer.weights]
    kernel, bias = logits.get_weights()
    logits.set_weights([0.01 * kernel, bias])  # otherwise the scores are 0 and 1
    weights.save(model, folder / "cnn.safetensors", about={"class_names": ["dark", "light"]})
    return folder


def test_it_is_calibrated_and_judged_on_the_user_s_images(command, own, tmp_path):
    out = tmp_path / "own-int8.tflite"
    arguments = ("--checkpoint", own / "cnn.safetensors", "--max-drop", "100", "--out", out)
    result = command(*arguments, "--data", own / "images")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "on 2 held-out images: top-1 " in result.stdout
    assert "lint" not in result.stdout
    card = read_metadata(out).card
    assert card["classes"] == ["dark", "light"]
    assert not {"author", "license"} & card.keys()  # only our own weights name us
    assert b"edge-classify authors" not in out.read_bytes()
    assert (card["calibration"]["images"], card["calibration"]["split"]) == (46, "train")
    with Classifier(out) as classifier:
        assert classifier.labels == ("dark", "light")
        assert classifier.assumptions == ()


def test_the_input_takes_raw_pixels_even_if_no_image_has_black_and_white(own):
    images = data.load(own / "images").train.images // 4 + 20
    given = images.copy()
    interpreter = Interpreter(model_content=quantize.to_int8(simple_cnn(2), images))
    [details] = interpreter.get_input_details()
    assert details["quantization"] == (np.float32(1 / 255), 0)
    np.testing.assert_array_equal(images, given)


def test_without_the_user_s_images_the_error_names_what_is_needed(command, own, tmp_path):
    arguments = ("--checkpoint", own / "cnn.safetensors", "--out", tmp_path / "x.tflite")
    expected = (
        f"export: {own / 'cnn.safetensors'} has the classes dark, light; name images of these "
        "classes with --data, as {train,test}/CLASS/*.png.\n"
    )
    other = write_folder(tmp_path / "other", per_class=2, test=1, classes=("cats", "dogs"))
    for more in ((), ("--data", other)):
        result = command(*arguments, *more)
        assert (result.exit_code, result.stdout, result.stderr) == (1, "", expected)
    result = command("--data", own / "images", "--out", tmp_path / "x.tflite")
    assert "cnn-outlier-head.safetensors has the classes airplane, automobile, " in result.stderr
    assert not (tmp_path / "x.tflite").exists()


def test_a_small_class_gives_all_its_images_and_the_others_give_more(own):
    loaded = data.load(own / "images")
    light = np.flatnonzero(loaded.train.labels == 1)
    few = loaded.train.take([*np.flatnonzero(loaded.train.labels == 0), *light[:3]])
    uneven = type(loaded)(few, loaded.held_out, loaded.test, loaded.class_names)
    ours = committed.read()
    assert len(calibration.choose(None, ours, uneven).images) == len(few) == 26
    for count, of_light in ((5, 2), (6, 3), (12, 3)):
        chosen = calibration.choose(str(count), ours, uneven)
        assert len(set(chosen.hashes)) == count
        assert len({*chosen.hashes} & {loaded.train.hashes[i] for i in light}) == of_light
    with pytest.raises(CalibrationError, match="to be from 2 to 26 images, but got 27"):
        calibration.choose("27", ours, uneven)
