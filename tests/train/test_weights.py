"""Weights in safetensors files."""

from pathlib import Path

import numpy as np
import pytest
import safetensors

from train import weights
from train.architectures import simple_cnn


def test_weights_and_about_come_back(tmp_path):
    path = tmp_path / "cnn.safetensors"
    model, other = simple_cnn(), simple_cnn()
    weights.save(model, path, about={"network": "cnn", "seed": 3})
    (tmp_path / "new").touch()
    assert path.stat().st_mode == (tmp_path / "new").stat().st_mode
    assert weights.load(other, path) == {"network": "cnn", "seed": 3}
    for expected, actual in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_float16_rounds_and_halves_the_file(tmp_path):
    model, other = simple_cnn(), simple_cnn()
    weights.save(model, tmp_path / "32", dtype="float32")
    weights.save(model, tmp_path / "16", dtype="float16")
    assert (tmp_path / "16").stat().st_size < 0.51 * (tmp_path / "32").stat().st_size
    weights.load(other, tmp_path / "16")
    for expected, actual in zip(model.get_weights(), other.get_weights(), strict=True):
        assert actual.dtype == np.float32
        # Rounding errs by half a unit in the last of 11 bits. Below 2^-14 steps are 2^-24.
        np.testing.assert_allclose(actual, expected, rtol=2**-11, atol=2**-25)


def test_other_networks_missing_and_damaged_files_are_refused(tmp_path):
    path = tmp_path / "cnn.safetensors"
    weights.save(simple_cnn(7), path)
    with pytest.raises(weights.CheckpointError, match=r"expected logits/bias to be \(10,\)"):
        weights.load(simple_cnn(), path)
    path.write_bytes(path.read_bytes()[:5000])
    for read in (weights.read, weights.about):
        with pytest.raises(weights.CheckpointError, match="not a readable safetensors file"):
            read(path)
        with pytest.raises(weights.CheckpointError, match="There is no checkpoint"):
            read(tmp_path / "nope")


def test_a_full_disk_is_reported_and_keeps_the_previous_file(tmp_path, monkeypatch):
    path = tmp_path / "cnn.safetensors"
    weights.save(simple_cnn(), path)
    before = path.read_bytes()

    def fill_up(tensors, where, metadata):
        Path(where).write_bytes(b"half")
        raise safetensors.SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(weights, "save_file", fill_up)
    with pytest.raises(weights.CheckpointError, match=r"cnn\.safetensors could not be written"):
        weights.save(simple_cnn(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_can_extend_another_one_beside_it(tmp_path):
    base, path = tmp_path / "cnn.safetensors", tmp_path / "cnn-head.safetensors"
    plain, judged, other = simple_cnn(), simple_cnn(outlier_head=16), simple_cnn(outlier_head=16)
    weights.save(plain, base)
    weights.load(judged, base, but="outlier_")
    weights.save(judged, path, about={"network": "cnn"}, extends=base)
    assert path.stat().st_size < 0.05 * base.stat().st_size
    weights.load(other, path)
    for expected, actual in zip(judged.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)
    with pytest.raises(weights.CheckpointError, match="holds another network than cnn"):
        weights.load(plain, path)
    weights.load(plain, path, but="outlier_")
    base.unlink()
    assert weights.about(path) == {"network": "cnn"}
    with pytest.raises(weights.CheckpointError, match="There is no checkpoint"):
        weights.load(other, path)
