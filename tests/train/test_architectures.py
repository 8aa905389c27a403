"""The layers, shapes and parameters of the networks, and the folding of their training forms."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from train.architectures import resnet18, simple_cnn
from train.folding import fold

IMAGES = np.random.default_rng(0).random((6, 32, 32, 3), np.float32)


def trainable_parameters(model):
    return sum(int(np.prod(w.shape)) for w in model.trainable_weights)


def test_the_cnn_has_the_seed_document_s_parameters():
    model = simple_cnn()
    assert model.count_params() == 551_466
    assert trainable_parameters(model) == 551_018
    assert model.count_params() - trainable_parameters(model) == 448


def test_the_cnn_has_the_seed_document_s_layers():
    kinds = [type(layer).__name__ for layer in simple_cnn().layers]
    block = ["Conv2D", "BatchNormalization", "ReLU", "Conv2D", "ReLU", "MaxPooling2D", "Dropout"]
    head = ["Flatten", "Dense", "ReLU", "Dropout", "Dense", "Softmax"]
    assert kinds == ["InputLayer", *block * 3, *head]


@pytest.mark.parametrize("classes", [2, 10])
def test_scores_are_a_distribution(classes):
    scores = np.asarray(simple_cnn(classes)(IMAGES))
    assert scores.shape == (6, classes)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-6)


def test_bfloat16_scores_are_close_to_float32():
    exact, fast = simple_cnn(), simple_cnn(precision="bfloat16")
    fast.set_weights(exact.get_weights())
    difference = np.abs(np.asarray(exact(IMAGES)) - np.asarray(fast(IMAGES), np.float32)).max()
    # bfloat16 keeps 8 bits, so each of eight layers may be off by 2^-8 of its values.
    assert 0 < difference < 8 * 2**-8


def random_statistics(model, gain=1.0):
    """Give every BatchNorm random weights and moments, as a trained network has."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = layer.get_weights()[0].shape
            layer.set_weights(
                [
                    gain * rng.uniform(0.5, 2, channels),
                    rng.normal(0, 0.5, channels),
                    rng.normal(0, 0.3, channels),
                    rng.uniform(0.1, 2, channels),
                ]
            )


@pytest.mark.parametrize("branches", [False, True])
def test_folding_keeps_the_scores(branches):
    keras.utils.set_random_seed(0)
    trained, deployed = simple_cnn(norm="every", branches=branches), simple_cnn()
    kinds = [type(layer).__name__ for layer in trained.layers]
    assert (kinds.count("Conv2D"), kinds.count("BatchNormalization")) == (
        (12, 16) if branches else (6, 7)
    )
    random_statistics(trained, gain=0.5 if branches else 1)  # three paths add up
    fold(trained, deployed)
    expected = np.asarray(trained(IMAGES, training=False))
    assert np.ptp(expected, axis=0).max() > 1e-3  # scores differ between the images
    np.testing.assert_allclose(deployed(IMAGES, training=False), expected, atol=1e-5)
    assert deployed.count_params() == 551_466


def test_folded_batch_norms_are_identities():
    trained, deployed = simple_cnn(norm="every"), simple_cnn()
    random_statistics(trained)
    fold(trained, deployed)
    for layer in deployed.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            x = np.random.default_rng(2).normal(size=(1, 2, 2, layer.gamma.shape[0]))
            np.testing.assert_allclose(layer(x.astype(np.float32)), x, rtol=1e-6)


def test_resnet18_equals_the_seed_document_s_table():
    """The table has 68 rows of output shape, channels first, and trainable parameters.

    In the file, nine errors of the document's scan are corrected, such as "36,8 864" for 36,864.
    Its rows add up to the total that the document states.
    """
    seed = (Path(__file__).parent / "seed_resnet18.txt").read_text().splitlines()
    model = resnet18(stem="imagenet")
    names = ["stem_conv", "stem_bn", "stem_relu", "stem_pool"]
    for stage in (1, 2, 3, 4):
        for number in (1, 2):
            parts = ["conv1", "bn1", "relu1", "conv2", "bn2"]
            parts += ["shortcut", "shortcut_bn"] if stage > 1 and number == 1 else []
            parts += ["relu2", "add"]
            names += [f"stage{stage}_block{number}_{part}" for part in parts]
    names += ["pool", "logits"]
    assert len(names) == len(seed) == 68
    for name, row in zip(names, seed, strict=True):
        shape, parameters = re.search(r"\[-1, (.*)\]\s+(\S+)$", row).groups()
        layer = model.get_layer(name)
        _, *sizes = layer.output.shape
        expected = [int(n) for n in shape.split(",")]
        if name == "pool":
            expected = expected[:1]  # Keras drops height and width, which are 1
        assert [sizes[-1], *sizes[:-1]] == expected, row
        assert trainable_parameters(layer) == int(parameters.replace(",", "")), row


@pytest.mark.parametrize(
    ("stem", "parameters", "total"),
    [("imagenet", 11_181_642, 11_191_242), ("cifar", 11_173_962, 11_183_562)],
)
def test_resnet18_parameter_counts(stem, parameters, total):
    model = resnet18(stem=stem)
    assert trainable_parameters(model) == parameters
    assert model.count_params() == total


def test_the_cifar_stem_keeps_the_resolution():
    model = resnet18()
    sides = [model.get_layer(f"stage{stage}_block2_add").output.shape[1] for stage in (1, 2, 3, 4)]
    assert sides == [32, 16, 8, 4]


def test_resnet18_pads_both_sides():
    """As in torchvision, the first window at stride 2 starts one pixel outside the image."""
    model = resnet18()
    pads = [layer.padding for layer in model.layers if layer.name.endswith("conv1_pad")]
    assert pads == [((1, 1), (1, 1))] * 3


def test_zero_init_residual_makes_blocks_the_identity():
    for zero in (False, True):
        model = resnet18(zero_init_residual=zero)
        probe = keras.Model(
            model.input,
            [model.get_layer(n).output for n in ("stage1_block1_relu2", "stage1_block2_relu2")],
        )
        before, after = probe(IMAGES, training=False)
        assert np.allclose(before, after) is zero


def test_a_network_for_any_resolution_has_the_same_weights():
    flexible, fixed = resnet18(side=None), resnet18()
    flexible.set_weights(fixed.get_weights())
    np.testing.assert_allclose(flexible(IMAGES), fixed(IMAGES), atol=1e-6)
    assert flexible(IMAGES[:, :16, :16]).shape == (6, 10)
