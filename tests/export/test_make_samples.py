"""The command `python -m export.make_samples` makes the committed files again."""

import json

import numpy as np
import pytest

from edge_runtime import load_image
from edge_runtime.inference import shipped
from export import committed
from export.make_samples import write_calibration, write_samples
from train.dataset import pixel_hash

COMMITTED = committed.read()


@pytest.mark.slow
def test_calibration_images_come_from_the_right_splits_and_are_reproducible(cifar10, tmp_path):
    assert {*COMMITTED.train.hashes} <= {*cifar10.train.hashes}
    assert {*COMMITTED.held_out.hashes} <= {*cifar10.held_out.hashes}
    write_calibration(cifar10, tmp_path / "calibration")
    again = json.loads((tmp_path / "calibration" / "manifest.json").read_text())
    assert again == json.loads((committed.FOLDER / "manifest.json").read_text())
    assert committed.read(tmp_path / "calibration").train.hashes == COMMITTED.train.hashes


def test_samples_are_test_images_of_their_class(cifar10, tmp_path):
    write_samples(cifar10, tmp_path)
    label_of = dict(zip(cifar10.test.hashes, cifar10.test.labels, strict=True))
    for name, path in shipped.samples().items():
        image = load_image(path)
        assert cifar10.class_names[label_of[pixel_hash(image)]] == name
        np.testing.assert_array_equal(load_image(tmp_path / path.name), image)
