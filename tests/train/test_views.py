"""The training images as an epoch sees them."""

import dataclasses

import numpy as np

from tests.train.small import split
from train import augment, views
from train.recipes import RECIPES

TRAIN = split(700, 0)
PLAIN = RECIPES["cnn", "seed"]


def make(seed=0, number=0, *, side=None, **changes):
    recipe = dataclasses.replace(PLAIN, **changes)
    return views.make(recipe, TRAIN, 2, seed, number, side=side)


def test_without_augmentation_the_images_stay_in_their_order():
    view = make()
    np.testing.assert_array_equal(view.images, TRAIN.images)
    np.testing.assert_array_equal(view.targets, np.eye(2)[TRAIN.labels])
    assert view.targets.dtype == np.float32


def test_each_augmentation_changes_images_as_the_seed_says():
    for change in (
        {"flip": True},
        {"translate": 2},
        {"cutout": 8},
        {"soften": 0.5},
        {"mixup": 1.0},
    ):
        view = make(**change)
        assert (view.images != TRAIN.images).any(), change
        assert (make(seed=1, **change).images != view.images).any(), change
        np.testing.assert_array_equal(make(**change).images, view.images)


def test_two_views_show_every_image_once_mirrored():
    first, second, third = (make(number=n, flip=True).images for n in range(3))
    mirrored = (first != TRAIN.images).any(axis=(1, 2, 3))
    assert 250 < mirrored.sum() < 450
    np.testing.assert_array_equal(second, first[:, :, ::-1])
    np.testing.assert_array_equal(third, first)


def test_a_mirrored_view_has_the_same_targets():
    view = make(mixup=1.0)
    mirrored = view.mirrored()
    np.testing.assert_array_equal(mirrored.images[:, :, 0], view.images[:, :, -1])
    np.testing.assert_array_equal(mirrored.mirrored().images, view.images)
    np.testing.assert_array_equal(mirrored.targets, view.targets)


def test_images_are_shrunk():
    assert make(side=16).images.shape == (700, 16, 16, 3)
    np.testing.assert_array_equal(make(side=16).images, augment.resize(TRAIN.images, 16))


def test_labels_are_smoothed():
    view = make(label_smoothing=0.1)
    np.testing.assert_allclose(view.targets.max(axis=1), 0.95, rtol=1e-6)
    np.testing.assert_allclose(view.targets.sum(axis=1), 1, rtol=1e-6)


def test_mixup_blends_images_and_targets_alike():
    black = np.zeros((200, 32, 32, 3), np.uint8)
    images = np.concatenate([black, black + 200])
    targets = np.repeat(np.eye(2, dtype=np.float32), 200, axis=0)
    mixed, blended = augment.mixup(images, targets, 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(blended.sum(axis=1), 1, rtol=1e-6)
    # The brightness tells the share of the bright class, to half a grey level.
    np.testing.assert_allclose(mixed[:, 0, 0, 0] / 200, blended[:, 1], atol=0.5 / 200)
    assert np.mean((blended > 0.1) & (blended < 0.9)) > 0.1
