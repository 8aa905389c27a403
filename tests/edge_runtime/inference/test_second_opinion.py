"""A second model that is asked if the first is unsure."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, ImageError, ModelError, OptionError
from edge_runtime.inference import shipped
from edge_runtime.inference.description import describe
from edge_runtime.inference.model import Model
from edge_runtime.inference.scores import mean
from edge_runtime.inference.second_opinion import unsure
from edge_runtime.inference.sidecar import write_sidecar
from tests.conftest import GOLDEN, run
from tests.pair_files import COLOURS, add_entry, drawn_acceptance, golden_pair

FIRST, SECOND = GOLDEN / "uint8.tflite", GOLDEN / "float32.tflite"
RED = np.full((4, 4, 3), (255, 0, 0), np.uint8)
BLUE = np.full((4, 4, 3), (0, 0, 255), np.uint8)
GREENISH = np.full((4, 4, 3), (100, 130, 90), np.uint8)  # green with a score of about 0.6


def test_only_unsure_images_go_to_the_second_model():
    alone, other = Classifier(FIRST), Classifier(SECOND)
    with Classifier(FIRST, second_opinion=SECOND, unsure_below=0.9) as pair:
        assert pair.classify(RED) == alone.classify(RED)
        assert np.array_equal(pair.scores(RED), alone.scores(RED))
        both = (alone.scores(GREENISH) + other.scores(GREENISH)) / 2
        assert 0.4 < both.max() < 0.9
        assert not np.array_equal(both, alone.scores(GREENISH))
        result = pair.classify(GREENISH, top_k=3)
        assert result.model == "uint8+float32"
        assert [p.score for p in result] == sorted(both.tolist(), reverse=True)
        assert np.array_equal(pair.scores(GREENISH), both)


def test_the_second_model_is_not_run_on_the_others(monkeypatch):
    with Classifier(FIRST, second_opinion=SECOND, unsure_below=0.9) as pair:
        monkeypatch.setattr(pair.second.model, "invoke", lambda _: pytest.fail("it was asked"))
        assert pair.classify(RED)[0].label == "red"


@pytest.mark.parametrize(("below", "name"), [(0.0, "uint8"), (1.0, "uint8+float32")])
def test_never_and_always(below, name):
    with Classifier(FIRST, second_opinion=SECOND, unsure_below=below) as pair:
        assert {pair.classify(image).model for image in (RED, GREENISH)} == {name}


def test_the_card_says_when_to_ask_and_what_to_accept(tmp_path):
    first, second = golden_pair(tmp_path)
    with Classifier(first, second_opinion=second) as pair:
        assert pair.second.unsure_below == 0.9
        assert pair.acceptance.threshold > 0.6
        assert pair.classify(RED).accepted
        assert not pair.classify(GREENISH).accepted
    assert Classifier(first).acceptance is None  # the table is the pair's alone
    assert Classifier(first, second_opinion=second, accept_all=True).acceptance is None
    stricter = Classifier(first, second_opinion=second, max_error=0.03)
    assert stricter.acceptance.leads[0] > 1
    assert stricter.acceptance.promise.startswith("--max-error 3%: scores from ")


def test_another_threshold_has_no_acceptance(tmp_path):
    first, second = golden_pair(tmp_path)
    assert Classifier(first, second_opinion=second, unsure_below=0.8).acceptance is None
    with pytest.raises(OptionError, match=r"not measured for .*first.* and .*second.* --unsure-be"):
        Classifier(first, second_opinion=second, unsure_below=0.8, max_error=0.03)
    same = Classifier(first, second_opinion=second, unsure_below=0.9, max_error=0.03)
    assert same.acceptance is not None
    with pytest.raises(OptionError, match="with the model's own fit, not with --fit pad"):
        Classifier(first, second_opinion=second, fit="pad", max_error=0.03)


def test_a_pair_that_was_not_measured_needs_a_threshold(tmp_path):
    first, second = golden_pair(tmp_path)
    with pytest.raises(OptionError, match=r"does not say when to ask .*int8\.tflite; .*--unsure-b"):
        Classifier(first, second_opinion=GOLDEN / "int8.tflite")
    second.write_bytes((GOLDEN / "int8.tflite").read_bytes())  # another file of the same name
    with pytest.raises(OptionError, match="does not say when to ask"):
        Classifier(first, second_opinion=second)
    with pytest.raises(ModelError, match="There is no model nope"):
        Classifier(first, second_opinion="nope")


@pytest.mark.parametrize("below", ["high", None, [0.5]])
def test_an_entry_of_another_tool_is_none(tmp_path, below):
    first, second = golden_pair(tmp_path, unsure_below=below)
    with pytest.raises(OptionError, match="does not say when to ask"):
        Classifier(first, second_opinion=second)
    assert Classifier(first, second_opinion=second, unsure_below=0.5).classify(RED).accepted
    assert "second opinion" not in describe(str(first))


def test_a_model_does_not_ask_itself(tmp_path):
    link = tmp_path / "link.tflite"
    link.symlink_to(FIRST)
    with pytest.raises(
        OptionError, match=r"--second-opinion .*link\.tflite is --model itself; name"
    ):
        Classifier(FIRST, second_opinion=link, unsure_below=0.9)


def test_a_warning_says_if_the_threshold_of_the_first_model_does_not_hold():
    names = {"model": "cnn-int8", "second_opinion": "resnet18-int8"}
    assert Classifier(**names).warnings == ()
    assert Classifier(**names, unsure_below=0.5, accept_all=True).warnings == ()
    said = "no threshold was measured together with resnet18-int8 below 0.5, so every best class"
    assert Classifier(**names, unsure_below=0.5).warnings[0].startswith(said)


def test_models_of_other_classes_are_refused(tmp_path):
    with pytest.raises(
        OptionError,
        match=r"float32\.tflite cannot give .* to .*cnn-int8\.tflite, because it has 3 ",
    ):
        Classifier("cnn-int8", second_opinion=SECOND, unsure_below=0.9)
    turned = tmp_path / "turned.tflite"
    turned.write_bytes(SECOND.read_bytes().replace(b"red\ngreen\nblue", b"blue\ngreen\nred"))
    for labels in (None, ["rot", "grün", "blau"]):
        with pytest.raises(OptionError, match=r"because its label 0 is blue instead of red; cho"):
            Classifier(FIRST, second_opinion=turned, unsure_below=0.9, labels=labels)


def test_labels_rename_the_classes_of_both():
    labels = ["rot", "grün", "blau"]
    options = {"second_opinion": SECOND, "unsure_below": 0.9, "labels": labels}
    with Classifier(FIRST, **options) as pair:
        assert pair.classify(GREENISH)[0].label == "grün"
    with Classifier(GOLDEN / "unlabelled.tflite", **options) as pair:
        assert pair.classify(GREENISH)[0].label == "grün"
    with pytest.raises(OptionError, match="label 0 is red instead of 0"):
        Classifier(GOLDEN / "unlabelled.tflite", second_opinion=SECOND, unsure_below=0.9)


def test_wrong_arguments():
    with pytest.raises(ValueError, match="Expected `second_opinion` to be a model, but got None"):
        Classifier(FIRST, unsure_below=0.9)
    for below in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="Expected `unsure_below` to be 0 to 1"):
            Classifier(FIRST, second_opinion=SECOND, unsure_below=below)


def test_a_model_that_is_sure_of_none_of_its_classes_is_not_unsure(tmp_path):
    labels = ["red", "green", "none-of-these"]
    with Classifier(FIRST, second_opinion=SECOND, unsure_below=0.9, labels=labels) as pair:
        sure = pair.classify(BLUE, top_k=3)
        assert sure.model == "uint8"
        assert [p.label for p in sure] == ["red", "green"]
        assert sure[0].score < 0.1
        unsure = pair.classify(np.full((4, 4, 3), (100, 110, 130), np.uint8), top_k=3)
        assert unsure.model == "uint8+float32"
        assert [p.label for p in unsure] == ["green", "red"]


def test_a_saved_threshold_that_does_not_hold_for_both_is_named(tmp_path):
    first = Path(shutil.copy(FIRST, tmp_path / "first.tflite"))
    write_sidecar(first, drawn_acceptance(["red", "green", "blue"]), overwrite=False)
    with Classifier(first, second_opinion=SECOND, unsure_below=0.9) as pair:
        assert pair.acceptance is None
        assert pair.warnings[-1].startswith("no threshold was measured together with")


def test_a_taught_model_gives_and_takes_a_second_opinion(taught, tmp_path):
    other = shutil.copy(taught, tmp_path / "other.tflite")
    image = np.random.default_rng(0).integers(0, 256, (160, 160, 3), np.uint8)
    with Classifier(taught, second_opinion=other, unsure_below=1) as pair:
        assert np.array_equal(pair.scores(image), Classifier(taught).scores(image))
        assert pair.classify(image).model == "figures+other"


def test_a_batch_gives_what_single_images_give(monkeypatch):
    rng = np.random.default_rng(0)
    images = [*rng.integers(0, 256, (40, 4, 4, 3), np.uint8), RED]
    with Classifier(FIRST, second_opinion=SECOND, unsure_below=0.5) as pair:
        results = pair.classify_batch([*images, "nope.png"], top_k=2)
        assert results[:-1] == [pair.classify(image, top_k=2) for image in images]
        assert {result.model for result in results[:-1]} == {"uint8", "uint8+float32"}
        assert isinstance(results[-1].error, ImageError)
        order = []
        for model in (pair, pair.second.model):
            invoke = model.invoke
            monkeypatch.setattr(
                model, "invoke", lambda x, m=model, f=invoke: order.append(m.name) or f(x)
            )
        pair.classify_batch(images[:16])
        assert order[:16] == ["uint8"] * 16  # the unsure ones come after all
        assert set(order[16:]) == {"float32"}


def test_an_image_on_which_the_second_model_fails_has_an_error(monkeypatch):
    def fail(tensor):
        raise ModelError("it failed")

    with Classifier(FIRST, second_opinion=SECOND, unsure_below=0.9) as pair:
        monkeypatch.setattr(pair.second.model, "invoke", fail)
        first, second, third = pair.classify_batch([RED, GREENISH, BLUE])
        assert [first[0].label, third[0].label] == ["red", "blue"]
        assert str(second.error) == "it failed"


def test_images_are_decoded_large_enough_for_both(tmp_path):
    path = tmp_path / "photograph.jpg"
    Image.new("RGB", (256, 256)).save(path)
    preprocessing = Model(FIRST).preprocessing
    assert preprocessing.decode(path).size == (32, 32)  # an eighth
    preprocessing.widen(Model("cnn-int8").preprocessing)
    assert preprocessing.decode(path).size == (64, 64)


def test_another_process_gets_the_same_pair(tmp_path):
    first, second = golden_pair(tmp_path)
    options = {"second_opinion": second, "max_error": 0.03}
    with Classifier(first, **options) as pair:
        arguments = json.loads(json.dumps(pair.arguments()))
        with Model(**arguments) as copy:
            assert copy.classify(GREENISH) == pair.classify(GREENISH)
            assert copy.acceptance.promise == pair.acceptance.promise
    assert "second_opinion" not in Model(first).arguments()


def test_logits_and_scores_work_together_in_another_process():
    options = {"second_opinion": SECOND, "unsure_below": 0.9, "labels": list(COLOURS)}
    with Model(GOLDEN / "logits.tflite", **options) as pair, Model(**pair.arguments()) as copy:
        np.testing.assert_allclose(pair.scores(GREENISH), Model(SECOND).scores(GREENISH), rtol=1e-5)
        assert np.array_equal(copy.scores(GREENISH), pair.scores(GREENISH))


def test_an_option_that_does_not_fit_the_second_model_names_it():
    with pytest.raises(OptionError, match=r"^--second-opinion .*resnet18.*Expected `labels`"):
        Classifier(FIRST, second_opinion="resnet18-int8", unsure_below=0.9, labels=list(COLOURS))


def test_closing_closes_both():
    pair = Classifier(FIRST, second_opinion=SECOND, unsure_below=0.9)
    pair.close()
    assert pair.second.model.closed
    with pytest.raises(ValueError, match="closed"):
        pair.classify(RED)


def test_one_model_alone_imports_nothing_more():
    script = (
        "import sys; from edge_runtime import Classifier;"
        f"Classifier().classify({str(shipped.samples()['cat'])!r});"
        "print('edge_runtime.inference.second_opinion' in sys.modules)"
    )
    assert run("-c", script).stdout == "False\n"


def test_the_description_names_the_pair(tmp_path):
    first, _ = golden_pair(tmp_path)
    said = "second opinion:     second below 0.900, asked about 25.0% of 4,000 drawn images\n"
    assert said in describe(str(first)) + "\n"
    [entry] = json.loads(describe(str(first), as_json=True))["card"]["second_opinions"].values()
    assert entry["acceptance"]["images"] == 4000


def test_shipped_networks_work_together(tmp_path):
    first = shutil.copy(shipped.models()["cnn-int8"], tmp_path / "cnn-int8.tflite")
    add_entry(first, shipped.models()["resnet18-int8"])
    with Classifier(first, second_opinion="resnet18-int8") as pair:
        results = pair.classify_batch(list(shipped.samples().values()))
    alone, other = Classifier("cnn-int8"), Classifier("resnet18-int8")
    for path, result in zip(shipped.samples().values(), results, strict=True):
        expected = alone.scores(path)
        is_unsure = unsure(expected, 0.9)
        if is_unsure:
            expected = mean([expected, other.scores(path)])
        assert result.model == ("cnn-int8+resnet18-int8" if is_unsure else "cnn-int8")
        assert (result[0].index, result[0].score) == (expected.argmax(), expected.max())
    assert {result.model for result in results} == {"cnn-int8", "cnn-int8+resnet18-int8"}


def test_a_model_is_unsure_by_the_shares_of_its_scores():
    first, second = np.float32([0.02, 0.18]), np.float32([0.6, 0.3])
    assert unsure(np.stack([first, second]), 0.8).tolist() == [False, True]
    assert unsure(np.zeros(2, np.float32), 0.1)
    sure = np.float32([0, 0.5])
    assert (bool(unsure(sure, 0.99)), bool(unsure(sure, 1.0))) == (False, True)


def test_the_labels_of_the_test_models():
    assert Classifier(FIRST).labels == COLOURS
