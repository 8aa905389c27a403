import json
import shutil

import numpy as np
import pytest
from PIL import Image

from export import calibration
from export.pictures import write_samples
from train.dataset import Dataset, Split, pixel_hash

COMMITTED = calibration.read()


@pytest.mark.parametrize("name", ["train", "held_out"])
def test_five_hundred_class_balanced_images(name):
    split: Split = getattr(COMMITTED, name)
    assert split.images.shape == (500, 32, 32, 3)
    assert np.bincount(split.labels).tolist() == [50] * 10
    assert len(set(split.hashes)) == 500
    assert split.hashes[123] == pixel_hash(split.images[123])


def test_calibration_and_gate_are_apart():
    assert not set(COMMITTED.train.hashes) & set(COMMITTED.held_out.hashes)


def test_black_and_white_make_the_input_exact():
    assert (COMMITTED.train.images.min(), COMMITTED.train.images.max()) == (0, 255)


def test_changed_pixels_and_missing_files_are_noticed(tmp_path):
    folder = shutil.copytree(calibration.FOLDER, tmp_path / "calibration")
    with Image.open(folder / "train.png") as sheet:
        pixels = np.array(sheet)
    pixels[100, 100, 0] ^= 1
    Image.fromarray(pixels).save(folder / "train.png")
    with pytest.raises(calibration.CalibrationError, match=r"train\.png does not hold"):
        calibration.read(folder)
    (folder / "train.png").unlink()
    with pytest.raises(calibration.CalibrationError, match="restore them with git"):
        calibration.read(folder)


@pytest.mark.slow
def test_they_come_from_the_data_set(cifar10, tmp_path):
    """From the right parts of it, and chosen again they are the same."""
    assert {*COMMITTED.train.hashes} <= {*cifar10.train.hashes}
    assert {*COMMITTED.held_out.hashes} <= {*cifar10.held_out.hashes}
    calibration.write(cifar10, tmp_path / "calibration")
    again = json.loads((tmp_path / "calibration" / "manifest.json").read_text())
    assert again == json.loads((calibration.FOLDER / "manifest.json").read_text())
    assert calibration.read(tmp_path / "calibration").train.hashes == COMMITTED.train.hashes


def test_samples_are_test_images_of_their_class(cifar10, tmp_path):
    from edge_runtime import load_image
    from edge_runtime.inference import shipped

    write_samples(cifar10, tmp_path)
    of_hash = dict(zip(cifar10.test.hashes, cifar10.test.labels, strict=True))
    for name, path in shipped.samples().items():
        image = load_image(path)
        assert cifar10.class_names[of_hash[pixel_hash(image)]] == name
        np.testing.assert_array_equal(load_image(tmp_path / path.name), image)


@pytest.fixture
def folder(tmp_path):
    """One training picture a class, some larger than the network's input."""
    for index, name in enumerate(COMMITTED.class_names):
        (tmp_path / name).mkdir()
        picture = Image.fromarray(COMMITTED.train.images[50 * index])
        picture.resize((32 + index, 40)).save(tmp_path / name / "a.png")
    return tmp_path


def test_a_folder_of_pictures(folder):
    chosen = calibration.choose(str(folder), COMMITTED, None)
    assert chosen.images.shape == (10, 32, 32, 3)
    assert chosen.provenance()["split"] == "folder"
    assert chosen.provenance()["images"] == 10


def test_a_folder_with_faults_is_refused(folder):
    def refused(reason):
        with pytest.raises(calibration.CalibrationError, match=reason):
            calibration.choose(str(folder), COMMITTED, None)

    (folder / "cat" / "b.png").write_bytes(b"no picture")
    refused(r"A calibration image cannot be used: .*cat/b\.png is not an image")
    Image.fromarray(COMMITTED.held_out.images[0]).save(folder / "cat" / "b.png")
    refused("1 of the 11 calibration images are held-out or test images")
    (folder / "cat" / "b.png").unlink()
    (folder / "cat" / "a.png").unlink()
    refused("cat holds no pictures")
    (folder / "cat").rmdir()
    refused("lacks a folder for cat; expected a number of images, or a folder")


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
        with pytest.raises(calibration.CalibrationError, match="from 10 to 500 images"):
            calibration.choose(count, COMMITTED, data)
    with pytest.raises(calibration.CalibrationError, match="name it with --data"):
        calibration.choose("25", COMMITTED, None)


def test_other_images_with_the_same_classes_are_calibrated_on_themselves():
    committed, rng = COMMITTED, np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 32, 32, 3), np.uint8)
    labels = (np.arange(60) % 10).astype(np.uint8)
    every = Split(images, labels, tuple(map(pixel_hash, images)))
    parts = (every.take(np.arange(start, start + 20)) for start in (0, 20, 40))
    own = Dataset(*parts, committed.class_names)
    chosen = calibration.choose(None, committed, own)
    assert sorted(chosen.hashes) == sorted(own.train.hashes)
    cifar10 = Dataset(own.train, committed.held_out, own.test, committed.class_names)
    assert calibration.choose(None, committed, cifar10).hashes == committed.train.hashes


def test_test_images_are_refused():
    data = Dataset(COMMITTED.train, COMMITTED.held_out, COMMITTED.train, COMMITTED.class_names)
    with pytest.raises(calibration.CalibrationError, match=r"20 of the 20 .* or test images"):
        calibration.choose("20", COMMITTED, data)
