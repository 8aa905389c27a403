"""The committed images: what they hold, and that damage is noticed."""

import shutil

import numpy as np
import pytest
from PIL import Image

from export import committed
from export.errors import CalibrationError
from train.dataset import Split, pixel_hash

COMMITTED = committed.read()


@pytest.mark.parametrize("name", ["train", "held_out"])
def test_five_hundred_class_balanced_images(name):
    split: Split = getattr(COMMITTED, name)
    assert split.images.shape == (500, 32, 32, 3)
    assert np.bincount(split.labels).tolist() == [50] * 10
    assert len(set(split.hashes)) == 500
    assert split.hashes[123] == pixel_hash(split.images[123])


def test_images_that_calibrate_do_not_judge():
    assert not set(COMMITTED.train.hashes) & set(COMMITTED.held_out.hashes)


def test_they_contain_black_and_white_so_that_the_input_scale_is_exact():
    assert (COMMITTED.train.images.min(), COMMITTED.train.images.max()) == (0, 255)


def test_changed_pixels_and_missing_files_are_noticed(tmp_path):
    folder = shutil.copytree(committed.FOLDER, tmp_path / "calibration")
    with Image.open(folder / "train.png") as sheet:
        pixels = np.array(sheet)
    pixels[100, 100, 0] ^= 1
    Image.fromarray(pixels).save(folder / "train.png")
    with pytest.raises(CalibrationError, match=r"train\.png does not hold"):
        committed.read(folder)
    (folder / "train.png").unlink()
    with pytest.raises(CalibrationError, match="restore them with git"):
        committed.read(folder)


def test_written_images_are_read_again(tmp_path):
    committed.write(COMMITTED, tmp_path / "new", seed=7)
    again = committed.read(tmp_path / "new")
    np.testing.assert_array_equal(again.train.images, COMMITTED.train.images)
    assert again.held_out.hashes == COMMITTED.held_out.hashes
    assert again.class_names == COMMITTED.class_names
