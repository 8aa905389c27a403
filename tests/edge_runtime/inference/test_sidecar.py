"""What was measured with a model, in the file beside it."""

import numpy as np
import pytest

from edge_runtime import Classifier, OptionError, OutputError
from edge_runtime.inference import shipped
from edge_runtime.inference.description import describe
from edge_runtime.inference.sidecar import read_sidecar, write_sidecar
from edge_runtime.support.files import file_sha256
from tests.conftest import GOLDEN
from tests.pair_files import COLOURS, drawn_acceptance


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "uint8.tflite"
    path.write_bytes((GOLDEN / "uint8.tflite").read_bytes())
    return path


def card_with(threshold: float):
    return {**drawn_acceptance(list(COLOURS)), "threshold": threshold}


def test_a_file_beside_the_model_sets_its_threshold(model):
    grey = np.full((4, 4, 3), 100, np.uint8)
    red = np.zeros((4, 4, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    assert Classifier(model).classify(grey).accepted
    path = write_sidecar(model, card_with(0.5), overwrite=False)
    assert path.name == "uint8.tflite.acceptance.json"
    with Classifier(model) as classifier:
        assert not classifier.classify(grey).accepted
        assert classifier.classify(red).accepted
        assert classifier.classify_batch([grey])[0].accepted is False
    assert Classifier(model, accept_all=True).classify(grey).accepted
    strict = Classifier(model, max_error=0.03)
    assert strict.acceptance.leads[0] > 9
    with pytest.raises(OutputError, match="exists; add --overwrite"):
        write_sidecar(model, card_with(0.7), overwrite=False)
    write_sidecar(model, card_with(0.7), overwrite=True)
    assert read_sidecar(model)["threshold"] == 0.7


def test_labels_of_the_caller_name_the_classes_of_a_promise(model):
    write_sidecar(model, card_with(0.5), overwrite=False)
    own = Classifier(model, max_error={"green": 0.05}).acceptance
    given = Classifier(model, labels=["b", "red", "g"], max_error={"red": 0.05}).acceptance
    assert given.leads == own.leads
    assert given.promise == own.promise.replace("green", "red")


def test_a_file_of_another_model_is_not_used(model):
    write_sidecar(model, card_with(0.5), overwrite=False)
    model.write_bytes((GOLDEN / "int8.tflite").read_bytes())
    with Classifier(model) as classifier:
        assert classifier.acceptance is None
        assert classifier.warnings[-1].startswith(
            "uint8.tflite.acceptance.json was measured with another file and is left out; delete it"
        )
    assert "acceptance.json was measured with another file" in describe(str(model))


def test_a_link_to_a_shipped_model_stands_for_the_model(tmp_path):
    link = tmp_path / "mine.tflite"
    link.symlink_to(shipped.models()["cnn-int8"])
    (tmp_path / "mine.tflite.acceptance.json").write_text("}")
    with Classifier(link) as mine, Classifier() as theirs:
        assert mine.acceptance == theirs.acceptance
    with pytest.raises(OutputError, match="beside a model file of your own; copy"):
        write_sidecar(link, card_with(0.5), overwrite=True)


def test_a_link_to_a_judged_model_has_its_threshold(model, tmp_path):
    write_sidecar(model, card_with(0.5), overwrite=False)
    link = tmp_path / "current.tflite"
    link.symlink_to(model)
    assert Classifier(link).acceptance.threshold == 0.5
    (tmp_path / "current.tflite.acceptance.json").write_text("}")  # its own goes before
    with pytest.raises(OptionError, match=r"current\.tflite\.acceptance\.json is damaged"):
        Classifier(link)


@pytest.mark.parametrize("threshold", ["}", '"0.9"', "null"])
def test_a_damaged_file_is_named(model, threshold):
    """Without a threshold, every best class would count."""
    content = (
        f'{{"model_sha256": "{file_sha256(model)}", "acceptance": {{"threshold": {threshold}}}}}'
    )
    model.with_name("uint8.tflite.acceptance.json").write_text(content)
    with pytest.raises(OptionError, match=r"acceptance\.json is damaged; delete it"):
        Classifier(model)


@pytest.mark.parametrize(
    ("changed", "was"),
    [
        ({"fit": "pad"}, "the model's own fit"),
        ({"mean": [1.0]}, "the model's own mean"),
        ({"std": 2}, "the model's own std"),
        ({"scores": "softmax"}, "--scores auto"),
    ],
)
def test_no_promise_for_scores_made_otherwise(model, changed, was):
    write_sidecar(model, card_with(0.5), overwrite=False)
    name = next(iter(changed))
    said = f"measured with {was}, not with --{name}"
    assert said in Classifier(model, **changed).acceptance.promise  # the default threshold stays
    with pytest.raises(OptionError, match=f"--max-error was {said}"):
        Classifier(model, max_error=0.05, **changed)
