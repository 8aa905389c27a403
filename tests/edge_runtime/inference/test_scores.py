import numpy as np
import pytest

from edge_runtime.inference.quantization import Quantization
from edge_runtime.inference.scores import score_table, softmax


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
