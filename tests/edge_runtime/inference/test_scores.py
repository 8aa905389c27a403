import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.inference.placement import scoring
from edge_runtime.inference.quantization import Quantization
from edge_runtime.inference.scores import decide, mean, score_table, softmax
from edge_runtime.inference.signature import Tensor
from tests.conftest import GOLDEN, run
from tests.edge_runtime.inference.model_files import followed_by


def test_softmax_is_its_formula_and_does_not_overflow():
    logits = np.array([1, 2, 4], np.float32)
    expected = np.exp([1, 2, 4]) / np.exp([1, 2, 4]).sum()
    np.testing.assert_allclose(softmax(logits), expected, rtol=1e-6)
    np.testing.assert_allclose(softmax(logits + 1000), expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_the_table_has_the_score_of_every_byte(dtype):
    quantization = Quantization(1 / 256, -128 if dtype == np.int8 else 0)
    table = score_table(quantization, np.dtype(dtype))
    output = np.array([0, 1, 127, 128, 255], np.uint8).view(dtype)
    assert table is not None
    np.testing.assert_array_equal(table[output.view(np.uint8)], quantization.dequantize(output))


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
def test_wider_outputs_have_no_table(dtype):
    assert score_table(Quantization(1.0, 0), np.dtype(dtype)) is None


FLOAT = Quantization(0.0, 0)


class Fake:
    """An engine whose outputs are given, one row an image."""

    def __init__(self, outputs, scoring, quantization=FLOAT, dtype=np.float32):
        self._outputs = iter(np.array(outputs, dtype))
        self.scoring = scoring
        self.output = Tensor((1, 3), np.dtype(dtype), quantization)

    def run(self, image):
        return next(self._outputs)


SUM_1 = [[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]]
SUM_OTHER = [[0.7, 0.2, 0.0], [0.0, 0.9, 0.9]]
NEGATIVE = [[2.0, -1.0, 0.0], [0.3, 0.3, 0.4]]
LARGE = [[2.0, 1.0, 0.0], [0.3, 0.3, 0.4]]


@pytest.mark.parametrize(
    ("outputs", "where", "logits", "assumptions"),
    [
        (SUM_OTHER, "last", False, 0),  # sigmoids
        (SUM_1, "before", False, 0),
        (SUM_1, "absent", False, 0),  # a softmax that is made of other operations
        (SUM_OTHER, "before", False, 1),
        (SUM_OTHER, "absent", True, 1),
        (NEGATIVE, "before", True, 1),
        (NEGATIVE, "absent", True, 1),
        (LARGE, "absent", True, 1),
        ([[np.nan] * 3] * 2, "absent", True, 1),
    ],
)
def test_scores_are_told_from_logits(outputs, where, logits, assumptions):
    decision = decide("auto", Fake(outputs, where), [None, None])
    assert decision.logits is logits
    assert len(decision.assumptions) == assumptions


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point", "logits"),
    [
        (np.uint8, 1 / 256, 0, False),
        (np.int8, 1 / 256, -128, False),
        (np.int16, 1 / 32768, 0, False),
        (np.uint8, 0.1, 0, True),
        (np.int8, 0.1, 4, True),
    ],
)
def test_the_range_of_an_integer_output_tells(dtype, scale, zero_point, logits):
    engine = Fake([[100, 50, 20]], "absent", Quantization(scale, zero_point), dtype)
    assert decide("auto", engine, [None]).logits is logits


@pytest.mark.parametrize(("how", "logits"), [("softmax", True), ("none", False)])
def test_the_caller_overrules(how, logits):
    for where in ("last", "before", "absent"):
        assert decide(how, Fake(SUM_1, where), [None]) == (logits, ())


def operation(name, inputs, outputs):
    return {"op_name": name, "inputs": inputs, "outputs": outputs}


# Tensor 0 is the graph's input, 1 the logits, 2 the scores, 3 the output. Constants start at 90.
START = [operation("FULLY_CONNECTED", [0, 90], [1]), operation("SOFTMAX", [1], [2])]


@pytest.mark.parametrize(
    ("operations", "where"),
    [
        ([*START, operation("RESHAPE", [2, 91], [3])], "last"),
        ([*START, operation("QUANTIZE", [2], [3])], "last"),
        ([*START, operation("GATHER", [2, 91], [3])], "before"),
        ([*START, operation("MINIMUM", [2, 91], [4]), operation("RELU", [4], [3])], "before"),
        ([*START, operation("PACK", [2, 2], [4]), operation("MEAN", [4, 91], [3])], "before"),
        ([*START, operation("LOGISTIC", [1], [4]), operation("MUL", [2, 4], [3])], "last"),
        ([*START, operation("MUL", [2, 91], [3])], "before"),  # by a constant
        ([*START, operation("MUL", [2, 1], [3])], "absent"),  # one way back has no softmax
        ([*START, operation("LOG", [2], [3])], "absent"),
        ([*START, operation("FULLY_CONNECTED", [2, 91], [3])], "absent"),
        ([START[0], operation("GATHER", [1, 91], [3])], "absent"),
        ([operation("MEAN", [0, 91], [3])], "absent"),
        ([], "absent"),
    ],
)
def test_where_a_graph_makes_scores(operations, where):
    assert scoring(operations, 3) == where


def test_what_follows_a_softmax_brings_no_second_one(tmp_path):
    path = tmp_path / "relu.tflite"
    path.write_bytes(followed_by((GOLDEN / "float32.tflite").read_bytes(), "RELU"))
    image = np.full((4, 4, 3), (255, 0, 0), np.uint8)
    expected = Classifier(GOLDEN / "float32.tflite").scores(image)
    with Classifier(path) as classifier:
        np.testing.assert_allclose(classifier.scores(image), expected, atol=1e-6)
        assert not any("outputs" in assumption for assumption in classifier.assumptions)
    twice = Classifier(path, scores="softmax").scores(image)
    np.testing.assert_allclose(twice, softmax(expected), atol=1e-6)


def test_the_option_overrules(tmp_path):
    image = tmp_path / "red.ppm"
    image.write_bytes(b"P6 4 4 255\n" + b"\xff\0\0" * 16)
    command = ("edge-classify", "--json", "--model", GOLDEN / "logits.tflite", image)
    raw = run(*command, "--scores", "none")
    assert '"score": 8.0' in raw.stdout
    assert "outputs are logits" not in raw.stderr
    wrong = run(*command, "--scores", "sometimes")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "auto, softmax, none" in " ".join(wrong.stderr.split())
    with pytest.raises(ValueError, match="Expected `scores` to be auto, softmax, none"):
        Classifier(scores="sometimes")


def test_scores_of_a_head_are_averaged_in_two_steps():
    """The first view looks foreign, and is sure which class it would be."""
    first, second = np.float32([0.02, 0.18]), np.float32([0.6, 0.3])
    found = mean([first, second])
    assert found.sum() == pytest.approx((0.2 + 0.9) / 2, rel=1e-6)
    assert found / found.sum() == pytest.approx([(0.1 + 2 / 3) / 2, (0.9 + 1 / 3) / 2], rel=1e-6)
    whole = np.float32([0.25, 0.75]), np.float32([0.5, 0.5])
    assert mean(whole) == pytest.approx([0.375, 0.625])
    independent = np.float32([0.9, 0.8]), np.float32([0.1, 0.9])  # of a sigmoid
    assert mean(independent) == pytest.approx([0.5, 0.85])
    assert mean(np.zeros((2, 2), np.float32)).tolist() == [0, 0]


def test_the_mean_of_logits_is_plain():
    """They have no sum of which each could have a share."""
    logits = np.array([[2, -3, 1], [4, -1, 2]], np.float32)
    np.testing.assert_array_equal(mean(logits), [3, -2, 1.5])
