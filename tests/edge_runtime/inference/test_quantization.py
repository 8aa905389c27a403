import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.inference.quantization import Quantization, pixel_table

FLOAT = Quantization(0.0, 0)


@given(
    st.floats(1e-4, 10),
    st.sampled_from([np.uint8, np.int8]),
    st.integers(-128, 255),
    st.lists(st.floats(-1e4, 1e4), min_size=1),
)
def test_quantize_rounds_to_nearest_and_clips(scale, dtype, zero_point, real):
    limits = np.iinfo(dtype)
    zero_point = int(np.clip(zero_point, limits.min, limits.max))
    quantization = Quantization(scale, zero_point)
    q = quantization.quantize(np.array(real), np.dtype(dtype))
    assert q.dtype == dtype
    inside = np.clip(
        real, scale * (limits.min - zero_point), scale * (int(limits.max) - zero_point)
    )
    # Rounding to nearest loses at most half a step; truncation would lose up to a whole one.
    # The margin is that of float32 in dequantize.
    error = np.abs(quantization.dequantize(q) - inside)
    assert (error <= scale / 2 + 1e-6 * np.abs(inside) + 1e-6).all()


def test_white_does_not_wrap_to_black():
    """With a scale of 1/256, 255/255 is step 256: it must clip to 255."""
    table = pixel_table(Quantization(1 / 256, 0), np.dtype(np.uint8))
    assert table is not None
    assert table[255] == 255
    assert (np.diff(table.astype(int)) >= 0).all()


def test_raw_pixels_need_no_table():
    assert pixel_table(Quantization(np.float32(1 / 255), 0), np.dtype(np.uint8)) is None


@pytest.mark.parametrize(
    ("quantization", "dtype", "expected"),
    [
        (Quantization(1 / 255, -128), np.int8, [-128, 0, 127]),
        (Quantization(2 / 255, 0), np.uint8, [0, 64, 128]),
        (FLOAT, np.float32, [0.0, 128 / 255, 1.0]),
    ],
)
def test_tables_of_other_inputs(quantization, dtype, expected):
    table = pixel_table(quantization, np.dtype(dtype))
    assert table is not None
    assert table.dtype == dtype
    np.testing.assert_allclose(table[[0, 128, 255]], expected, rtol=1e-6)


def test_table_follows_mean_and_std():
    table = pixel_table(FLOAT, np.dtype(np.float32), mean=[127.5], std=[127.5])
    assert table is not None
    np.testing.assert_allclose(table[[0, 255]], [-1.0, 1.0])


def test_dequantize_is_the_formula():
    q = np.array([0, 128, 255], np.uint8)
    np.testing.assert_array_equal(
        Quantization(0.5, 128).dequantize(q), np.array([-64.0, 0.0, 63.5], np.float32)
    )
