"""What LiteRT cannot load, and the reason that reaches the user."""

from pathlib import Path

import numpy as np
import pytest

from edge_runtime import Classifier, ModelError
from edge_runtime.inference.reasons import why_not_loaded, why_not_run
from tests.conftest import GOLDEN, run
from tests.edge_runtime.inference.model_files import changed, with_custom_softmax

MODEL = (GOLDEN / "float32.tflite").read_bytes()
PATH = Path("m.tflite")
FLEX = (
    "Select TensorFlow op(s), included in the given model, is(are) not supported by this "
    "interpreter. Make sure you apply/link the Flex delegate before inference. For the Android, "
    "it can be resolved by adding a dependency. See instructions: "
    "https://www.tensorflow.org/lite/guide/ops_selectNode number 0 (FlexAdjustHue) failed to "
    "prepare."
)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("DeviceSoftmax", "needs the custom operation DeviceSoftmax, which LiteRT does not have"),
        ("edgetpu-custom-op", "is compiled for the Edge TPU .*--delegate"),
    ],
)
def test_a_custom_operation_is_named(tmp_path, name, said):
    path = tmp_path / "m.tflite"
    path.write_bytes(with_custom_softmax(MODEL, name))
    with pytest.raises(ModelError, match=rf"m\.tflite {said}"):
        Classifier(path)


def test_a_newer_operation_is_named(tmp_path):
    def change(graph):
        graph.operatorCodes[0].version = 99

    path = tmp_path / "m.tflite"
    path.write_bytes(changed(MODEL, change))
    with pytest.raises(ModelError, match=r"needs version 99 of the operation .*update ai-edge-lit"):
        Classifier(path)


def test_an_open_size_is_named(tmp_path):
    def change(graph):
        main = graph.subgraphs[0]
        main.tensors[main.inputs[0]].shapeSignature = np.array([-1, -1, -1, 3], np.int32)

    path = tmp_path / "m.tflite"
    path.write_bytes(changed(MODEL, change))
    with pytest.raises(ModelError, match=r"any size \(float32 \[-1, -1, -1, 3\].*fixed height"):
        Classifier(path)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (FLEX, "m.tflite needs the TensorFlow operation AdjustHue (through Flex), which LiteRT"),
        (
            "Op builtin_code out of range: 250. Are you using old TFLite binary with newer model?"
            "Registration failed.\n",
            "m.tflite needs the operation number 250, which this LiteRT does not have; update",
        ),
        (
            "tensorflow/lite/kernels/conv.cc:1 a != b (3 != 4)Node number 5 (CONV_2D) failed to "
            "prepare.",
            "m.tflite cannot be used: LiteRT refuses its operation CONV_2D; export it again.",
        ),
        ("The model is not a valid Flatbuffer buffer", "m.tflite is not a valid .tflite model;"),
        ("mmap of size 0 requested.", "m.tflite is not a valid .tflite model; copy"),
    ],
)
def test_the_reason_is_put_in_a_sentence(said, reason):
    assert why_not_loaded(PATH, RuntimeError(said)).startswith(reason)


def test_an_operation_that_fails_later_is_named():
    error = RuntimeError("kernels/reshape.cc:85 a != b (3 != 4)\nNode number 3 (RESHAPE) failed to")
    assert why_not_run(PATH, error).startswith("m.tflite could not be run (its operation RESHAPE")
    assert "(out of memory)" in why_not_run(PATH, RuntimeError("out of memory\nat x.cc:1"))


def test_a_control_character_in_an_operation_s_name_is_escaped(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(with_custom_softmax(MODEL, "Evil\x1b[31m"))
    result = run("edge-classify", "--model", path, "x.png")
    assert result.returncode == 1
    assert "Evil\\x1b[31m" in result.stderr
