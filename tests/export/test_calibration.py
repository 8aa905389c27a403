"""Choosing the calibration images; images that judge the result are refused."""

import numpy as np
import pytest
from PIL import Image

from export import calibration, committed
from export.errors import CalibrationError
from train.dataset import Dataset, Split, pixel_hash

COMMITTED = committed.read()


@pytest.fixture
def folder(tmp_path):
    """One training image per class, some larger than the network's input."""
    for index, name in enumerate(COMMITTED.class_names):
        (tmp_path / name).mkdir()
        image = Image.fromarray(COMMITTED.train.images[50 * index])
        image.resize((32 + index, 40)).save(tmp_path / name / "a.png")
    return tmp_path


def test_a_folder_of_images(folder):
    chosen = calibration.choose(str(folder), COMMITTED, None)
    assert chosen.images.shape == (10, 32, 32, 3)
    assert chosen.provenance()["split"] == "folder"
    assert chosen.provenance()["images"] == 10


def test_a_bad_folder_is_refused(folder):
    def refused(reason):
        with pytest.raises(CalibrationError, match=reason):
            calibration.choose(str(folder), COMMITTED, None)

    (folder / "cat" / "b.png").write_bytes(b"no image")
    refused(r"A calibration image cannot be used: .*cat/b\.png is not an image")
    Image.fromarray(COMMITTED.held_out.images[0]).save(folder / "cat" / "b.png")
    refused("1 of the 11 calibration images are held-out or test images")
    (folder / "cat" / "b.png").unlink()
    (folder / "cat" / "a.png").unlink()
    refused("cat holds no images")
    (folder / "cat").rmdir()
    refused("has no folder for cat; --calibration expects a number of images, or a folder")


def test_a_number_of_images_of_the_data_set():
    part = COMMITTED.train
    data = Dataset(part, COMMITTED.held_out, part.take([]), COMMITTED.class_names)
    chosen = calibration.choose("25", COMMITTED, data)
    labels = dict(zip(part.hashes, part.labels, strict=True))
    counts = np.bincount([labels[digest] for digest in chosen.hashes])
    assert counts.tolist() == [3] * 5 + [2] * 5
    assert chosen.provenance() != calibration.choose("26", COMMITTED, data).provenance()
    assert chosen.provenance() == calibration.choose("25", COMMITTED, data).provenance()
    for count in ("9", "501"):
        with pytest.raises(CalibrationError, match="from 10 to 500 images"):
            calibration.choose(count, COMMITTED, data)
    with pytest.raises(CalibrationError, match="name it with --data"):
        calibration.choose("25", COMMITTED, None)


def test_another_data_set_with_the_same_classes_is_calibrated_on_its_own_images():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 32, 32, 3), np.uint8)
    labels = (np.arange(60) % 10).astype(np.uint8)
    every = Split(images, labels, tuple(map(pixel_hash, images)))
    parts = (every.take(np.arange(start, start + 20)) for start in (0, 20, 40))
    own = Dataset(*parts, COMMITTED.class_names)
    chosen = calibration.choose(None, COMMITTED, own)
    assert sorted(chosen.hashes) == sorted(own.train.hashes)
    cifar10 = Dataset(own.train, COMMITTED.held_out, own.test, COMMITTED.class_names)
    assert calibration.choose(None, COMMITTED, cifar10).hashes == COMMITTED.train.hashes


def test_test_images_are_refused():
    data = Dataset(COMMITTED.train, COMMITTED.held_out, COMMITTED.train, COMMITTED.class_names)
    with pytest.raises(CalibrationError, match=r"20 of the 20 .* or test images"):
        calibration.choose("20", COMMITTED, data)


def test_held_out_images_are_refused():
    swapped = committed.CommittedImages(
        COMMITTED.held_out, COMMITTED.held_out, COMMITTED.class_names
    )
    with pytest.raises(CalibrationError, match="500 of the 500 calibration images are held-out"):
        calibration.choose(None, swapped, None)


def test_evenly_spaced_images_come_from_all_classes():
    assert calibration.evenly_spaced(np.arange(500), 200)[[0, 1, 2, -1]].tolist() == [0, 2, 5, 497]
    assert calibration.evenly_spaced(np.arange(1000), 100).tolist() == list(range(0, 1000, 10))
    assert calibration.evenly_spaced(np.arange(3), 100).tolist() == [0, 1, 2]
