import pytest

from benchmarks.macs import multiply_adds
from edge_runtime.inference import shipped
from tests.conftest import GOLDEN, ROOT


@pytest.mark.parametrize("name", ["cnn-float32", "cnn-int8"])
def test_the_multiply_adds_of_the_cnn_are_those_of_its_layers(name):
    convolutions = [
        (32, 3, 32), (32, 32, 32), (16, 32, 64), (16, 64, 64), (8, 64, 128), (8, 128, 128),
    ]  # fmt: skip
    by_hand = sum(side * side * 9 * before * after for side, before, after in convolutions)
    by_hand += 2048 * 128 + 128 * 10
    by_hand += 16 * (2 * (32 + 64 + 128) + 128) + 7 * 16 * 16 + 16  # the outlier head
    assert multiply_adds(shipped.models()[name]) == by_hand


def test_the_multiply_adds_of_resnet18_are_those_of_its_layers():
    """It has a convolution, then four stages of two blocks; the first block may halve the size.

    The 1 x 1 shortcut of that block is 1 x 2 in the int8 file, see `export.gpu_workaround`.
    """
    by_hand = 32 * 32 * 9 * 3 * 64 + 512 * 10
    by_hand += 32 * (64 + 128 + 256 + 512) + 4 * 32 * 32 + 32  # the outlier head
    for side, before, after in [(32, 64, 64), (16, 64, 128), (8, 128, 256), (4, 256, 512)]:
        by_hand += side * side * 9 * (before + 3 * after) * after
        by_hand += side * side * 2 * before * after if before != after else 0  # the shortcut
    assert multiply_adds(shipped.models()["resnet18-int8"]) == by_hand == 561_749_024


def test_a_network_without_weights_has_none():
    assert multiply_adds(GOLDEN / "float32.tflite") == 0


def test_another_file_is_refused():
    with pytest.raises(ValueError, match=r"README.md is not a .tflite model"):
        multiply_adds(ROOT / "README.md")
