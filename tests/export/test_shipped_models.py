"""The shipped models: made by the command, close to Keras, and described."""

import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.inference import shipped
from edge_runtime.inference.metadata import read_metadata
from export import measured, verify


@pytest.mark.parametrize(
    ("network", "quantize", "name"),
    [
        ("cnn", "int8", "cnn-int8"),
        ("cnn", "none", "cnn-float32"),
        pytest.param("resnet18", "int8", "resnet18-int8", marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(900)  # ResNet18 on a busy machine
def test_the_command_makes_them_again(command, shipped_inputs, tmp_path, network, quantize, name):
    """Byte for byte if the tools have the same versions, because no model is made by hand."""
    out = tmp_path / "new" / f"{name}.tflite"
    result = command("--network", network, "--quantize", quantize, "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "on the 500 committed held-out images (no data set was named): top-1 " in result.stdout
    assert "lint" not in result.stdout
    assert list(out.parent.iterdir()) == [out]
    ours, made = read_metadata(shipped.models()[name]).card, read_metadata(out).card
    if ours["tools"] == made["tools"]:
        assert out.read_bytes() == shipped.models()[name].read_bytes()
    else:
        for measured_key in measured.part(ours):  # other tools' files have not been measured
            del ours[measured_key]
        assert {**ours, "tools": None} == {**made, "tools": None}
        images = shipped_inputs(network).held_out.images
        np.testing.assert_array_equal(
            verify.file_scores(out, images), verify.file_scores(shipped.models()[name], images)
        )


def test_they_are_small():
    assert shipped.models()["cnn-int8"].stat().st_size <= 600_000
    assert shipped.models()["resnet18-int8"].stat().st_size <= 11_500_000


@pytest.mark.parametrize("name", shipped.models())
def test_their_scores_are_a_product_that_counts_as_scores(name):
    metadata = read_metadata(shipped.models()[name])
    assert metadata.card["outlier_head"]["recipe_name"] == "outlier-head"
    with Classifier(name) as classifier:
        assert classifier.assumptions == ()
        scores = classifier.scores(shipped.samples()["cat"])
        assert scores.sum() < 0.9
        output = metadata.card["io"]["output"]
        if name.endswith("int8"):
            assert (output["scale"], output["zero_point"]) == (1 / 256, 0)


@pytest.mark.parametrize("name", shipped.models())
def test_they_are_close_to_keras(shipped_inputs, name):
    inputs = shipped_inputs(name.split("-")[0])
    scores = verify.file_scores(shipped.models()[name], inputs.held_out.images)
    comparison = verify.compare(inputs.scores, scores, inputs.held_out.labels)
    assert comparison.images == 500
    if name.endswith("float32"):
        assert comparison.agreement == 1
        assert comparison.max_difference < 1e-5  # float32 sums in different orders
    else:
        assert comparison.agreement >= 0.98
        assert comparison.top1_drop <= 0.005


@pytest.mark.parametrize("name", shipped.models())
def test_they_say_where_they_come_from(shipped_inputs, name):
    inputs = shipped_inputs(name.split("-")[0])
    metadata = read_metadata(shipped.models()[name])
    assert metadata.labels == inputs.class_names == Classifier(name).labels
    assert (metadata.mean, metadata.std, metadata.fit) == ((0,) * 3, (255,) * 3, "crop")
    assert metadata.card["checkpoint_sha256"] == inputs.sha256
    assert metadata.card["training"]["recipe"] == inputs.about["recipe_name"]
    expected = None if name.endswith("float32") else inputs.calibration.provenance()
    assert metadata.card["calibration"] == expected
