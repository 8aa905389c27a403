"""The registry of the networks: what each builds, and what pixels it takes."""

import numpy as np
import pytest

from train.networks import CIFAR10_NETWORKS, NETWORKS, NetworkName, batches_of, inputs_of


def test_every_network_has_an_option_value():
    assert [name.value for name in NetworkName] == list(NETWORKS)
    assert set(NETWORKS) - set(CIFAR10_NETWORKS) == {"efficientnet-lite0"}


@pytest.mark.parametrize(
    ("name", "side", "white"),
    [("cnn", 32, 1), ("resnet18", 32, 1), ("efficientnet-lite0", 224, 255)],
)
def test_a_network_takes_the_images_that_the_registry_says(name, side, white):
    model = NETWORKS[name].build(3)
    assert model.name == name
    assert model.input_shape == (None, side, side, 3)
    assert model.output_shape == (None, 3)
    for given in (side, 16):  # images of another side are resized
        inputs = inputs_of(model, np.full((1, given, given, 3), 255, np.uint8))
        assert inputs.dtype == np.float32
        np.testing.assert_array_equal(inputs, np.full((1, side, side, 3), white))


@pytest.mark.parametrize(
    ("name", "count", "side", "expected"),
    [
        ("cnn", 1000, 32, [500, 500]),
        ("cnn", 501, 32, [251, 250]),
        ("efficientnet-lite0", 13, 224, [7, 6]),
        ("efficientnet-lite0", 13, 32, [7, 6]),
    ],
)
def test_batches_are_equal_and_as_large_as_memory_allows(name, count, side, expected):
    model = NETWORKS[name].build()
    pixels = np.zeros((count, side, side, 3), np.uint8)
    pixels[-1] = 255
    batches = list(batches_of(model, pixels))
    assert [len(batch) for batch in batches] == expected
    assert batches[-1][-1].min() == 255 / NETWORKS[name].divisor
    assert batches[-1][:-1].max() == 0
