"""How outliers are split by class into a training and a validation part."""

import numpy as np
import pytest
from PIL import Image

from edge_runtime.inputs.resize import fit
from tests.train.small import write_outliers
from train import outliers
from train.dataset import DataError


def test_no_class_is_in_both_parts_of_any_folder(tmp_path):
    ids = [f"n{number:08}" for number in range(40)]
    photographs = write_outliers(tmp_path / "photographs", [f"{i}_name.png" for i in ids])
    archive = write_outliers(tmp_path / "small", [f"{i}/{i}_{k}.png" for i in ids for k in (1, 2)])
    one, other = outliers.load([str(photographs), str(archive)])
    assert (one.name, other.name) == ("photographs", "small")
    assert one.train_classes == other.train_classes
    assert one.validation_classes == other.validation_classes
    assert not {*one.train_classes} & {*one.validation_classes}
    assert sorted(one.train_classes + one.validation_classes) == ids
    assert 4 < len(one.validation_classes) < 24
    assert len(other.train) == 2 * len(one.train) == 2 * len(one.train_classes)
    assert other.validation.shape == (2 * len(one.validation_classes), 32, 32, 3)
    assert one.about() == {
        "name": "photographs",
        "classes": len(one.train_classes),
        "images": len(one.train),
    }


def test_without_ids_folders_are_the_classes_or_else_files(tmp_path):
    names = [f"{folder}/{k}.png" for folder in "abcdefghijkl" for k in range(2)]
    (found,) = outliers.load([str(write_outliers(tmp_path / "folders", names))])
    assert sorted(found.train_classes + found.validation_classes) == sorted("abcdefghijkl")
    flat = write_outliers(tmp_path / "flat", [f"{k}.png" for k in range(30)])
    (found,) = outliers.load([str(flat)])
    assert len(found.train_classes) + len(found.validation_classes) == 30


def test_validation_outliers_are_as_the_runtime_gives_them_to_a_network(tmp_path):
    (tmp_path / "train").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
    for number in range(20):
        Image.fromarray(pixels).save(tmp_path / "train" / f"{number}.png")
    (found,) = outliers.load([str(tmp_path / "train")])
    assert min(found.train[0].shape[:2]) == 192  # so that many fit in memory
    shrunk = Image.fromarray(pixels).resize((256, 192), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(found.validation[0], fit(shrunk, 32, 32))


def test_the_digest_is_of_the_images_that_are_trained_on(tmp_path):
    folder = write_outliers(tmp_path / "x", [f"{k}.png" for k in range(30)])
    before = outliers.load([str(folder)])
    trained, validated = before[0].train_classes[0], before[0].validation_classes[0]
    assert outliers.digest(before) == outliers.digest(outliers.load([str(folder)]))
    (folder / validated).unlink()
    assert outliers.digest(outliers.load([str(folder)])) == outliers.digest(before)
    (folder / trained).unlink()
    assert outliers.digest(outliers.load([str(folder)])) != outliers.digest(before)


def test_own_outliers_are_validated_with_those_of_the_test_part(tmp_path):
    own = write_outliers(tmp_path / "train" / "none-of-these", [f"{k}.png" for k in range(12)])
    (found,) = outliers.load([], own)
    assert 0 < len(found.validation) < 12
    write_outliers(tmp_path / "test" / "none-of-these", ["0.png", "1.png"])
    (found,) = outliers.load([], own)
    assert (len(found.train), len(found.validation)) == (12, 2)


def test_two_folders_of_one_name_are_told_apart(tmp_path):
    names = [f"{k}.png" for k in range(30)]
    folders = [str(write_outliers(tmp_path / part / "photos", names)) for part in "ab"]
    assert [found.name for found in outliers.load(folders)] == ["photos (1)", "photos (2)"]


def test_folders_that_cannot_be_split_are_named(tmp_path):
    write_outliers(tmp_path / "one", ["n01440764_tench.png"])
    with pytest.raises(DataError, match=r"one has no outliers to .* \(n01440764\); add images"):
        outliers.load([str(tmp_path / "one")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no image that can be an outlier"):
        outliers.load([str(tmp_path / "empty")])
