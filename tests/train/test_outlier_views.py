"""Cuts of outliers, surroundings and recompression."""

import dataclasses

import numpy as np
import pytest

from tests.train.small import TRAIN, outliers_in
from train import outlier_views
from train.outlier_views import OutlierViews, cut, recompress, surround
from train.outliers import Source
from train.recipes import RECIPES

RECIPE = dataclasses.replace(RECIPES["cnn", "seed"], batch_size=100).with_outliers()
GREY = np.full((40, 32, 32, 3), 90, np.uint8)
NONE = np.zeros((1, 32, 32, 3), np.uint8)


def source(*values, side=200):
    """Return a source of grey images with these values."""
    images = tuple(np.full((side, side + 40, 3), value, np.uint8) for value in values)
    return Source("grey", images, ("a",), NONE, ("b",))


def rng(seed=0):
    return np.random.default_rng(seed)


def test_a_cut_is_a_part_of_the_image_shrunk_with_antialiasing():
    column = np.linspace(0, 255, 300)[None, :, None].repeat(200, axis=0).repeat(3, axis=2)
    for seed in range(20):
        part = cut(column.astype(np.uint8), 32, rng(seed))
        assert part.shape == (32, 32, 3)
        rise = int(part[0, -1, 0]) - int(part[0, 0, 0])
        assert 0.2 * 200 * 255 / 300 < rise <= 200 * 255 / 300  # of a quarter to all of the side
    checked = np.indices((192, 192)).sum(axis=0) % 2 * 255  # finer than the cut's pixels
    part = cut(np.stack([checked] * 3, axis=2).astype(np.uint8), 16, rng())
    assert np.abs(part.astype(int) - 128).max() < 40


def test_an_image_of_the_network_s_side_is_cut_whole():
    image = TRAIN.images[0]
    np.testing.assert_array_equal(cut(image, 32, rng()), image)


def test_every_source_gives_the_same_share():
    views = OutlierViews(RECIPE, [source(0), source(*[200] * 50)], 0)
    dark = views.outliers(0, np.zeros((800, 32, 32, 3), np.uint8)).mean(axis=(1, 2, 3)) < 100
    assert len(dark) == 400
    assert 0.4 < dark.mean() < 0.6


@pytest.mark.parametrize(("images", "expected"), [(200, 100), (201, 101), (50, 25)])
def test_an_epoch_has_outliers_for_each_batch(images, expected):
    views = OutlierViews(RECIPE, [source(9)], 0)
    assert len(views.outliers(0, np.zeros((images, 32, 32, 3), np.uint8))) == expected


def test_outliers_are_new_in_each_epoch_and_follow_from_the_seed(tmp_path):
    sources = outliers_in(tmp_path)
    epochs = [
        OutlierViews(RECIPE, sources, seed).outliers(epoch, TRAIN.images, side)
        for seed, epoch, side in (
            (0, 0, None),
            (0, 0, None),
            (0, 1, None),
            (1, 0, None),
            (0, 0, 16),
        )
    ]
    np.testing.assert_array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], epochs[2])
    assert not np.array_equal(epochs[0], epochs[3])
    assert epochs[4].shape[1:] == (16, 16, 3)


def test_surroundings_lie_around_a_share_of_the_images():
    shown = surround(GREY, 0.5, [source(250)], rng())
    changed = np.abs(shown.astype(int) - 90).max(axis=(1, 2, 3)) > 20
    assert 10 < changed.sum() < 30
    np.testing.assert_array_equal(shown[~changed], GREY[~changed])
    for image in shown[changed]:
        inside = np.abs(image[..., 0].astype(int) - 90) < 40
        assert 0.4**2 < inside.mean() < 0.95**2  # 50 to 90 % of the side
        assert inside.any(axis=1).sum() == pytest.approx(inside.any(axis=0).sum(), abs=1)


def test_photographs_are_taken_as_surroundings_rather_than_small_images():
    shown = surround(GREY, 1.0, [source(250), source(0, side=32)], rng())
    assert shown.min() > 60  # nothing of the black one


def test_recompressed_images_stay_alike_at_every_enlargement():
    rise = np.linspace(0, 255, 32, dtype=np.uint8)
    images = np.broadcast_to(rise[:, None, None], (40, 32, 32, 3))
    shown = recompress(images, 1.0, rng())
    distance = np.abs(shown.astype(int) - images).mean(axis=(1, 2, 3))
    assert (distance > 0).all()
    assert distance.max() < 12
    np.testing.assert_array_equal(recompress(GREY, 0.0, rng()), GREY)


def test_a_recipe_without_outliers_shows_the_images_as_they_are():
    views = OutlierViews(RECIPES["cnn", "seed"], (), 0)
    assert views.shown(GREY, 0) is GREY
    assert views.mixed(GREY, 10) is GREY
    assert len(views.outliers(0, GREY)) == 0


def test_images_and_outliers_are_mixed_as_in_a_batch():
    mixed = OutlierViews(RECIPE, [source(250)], 0).mixed(GREY, 20)
    assert [int((mixed.mean(axis=(1, 2, 3)) > 200).sum()), len(mixed)] == [10, 30]


def test_outliers_and_images_carry_the_same_traces(tmp_path, monkeypatch):
    """Otherwise a network could tell them apart by what was done to them."""
    calls = []
    monkeypatch.setattr(
        outlier_views, "recompress", lambda images, share, _: calls.append(share) or images
    )
    monkeypatch.setattr(
        outlier_views, "changed", lambda images, recipe, _: calls.append(recipe) or images
    )
    views = OutlierViews(RECIPE, outliers_in(tmp_path), 0)
    views.outliers(0, TRAIN.images)
    views.shown(GREY, 0)
    assert calls == [RECIPE, RECIPE.recompress, RECIPE.recompress]
