"""The checkpoint that exports start from."""

import numpy as np
import pytest

from tests.train.conftest import command
from train import weights
from train.architectures import simple_cnn
from train.run_files import RunError
from train.ship import ship_run


def test_shipping_keeps_the_weights_and_states_their_origin(finished, tmp_path, monkeypatch):
    folder, _ = finished
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    path = ship_run(folder)
    assert path == tmp_path / "cnn.safetensors"
    shipped, trained = simple_cnn(2), simple_cnn(2)
    about = weights.load(shipped, path)
    weights.load(trained, folder / "weights.safetensors")
    assert (about["recipe_name"], about["seed"]) == ("seed", 3)
    assert about["class_names"] == ["dark", "bright"]
    assert (about["teacher"], about["start_from"]) == (None, None)
    for expected, actual in zip(trained.get_weights(), shipped.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected.astype(np.float16).astype(np.float32))


def test_a_run_of_other_classes_or_layers_is_not_shipped(finished, tmp_path, monkeypatch):
    result = command("ship", finished[0])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"train: {finished[0]} has other classes than the shipped cnn; export it by itself, with "
        f"--checkpoint {finished[0] / 'weights.safetensors'}.\n"
    )
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    about = {"class_names": ["dark", "bright"], "recipe": {"architecture": {"stem": "imagenet"}}}
    weights.save(simple_cnn(2), tmp_path / "cnn.safetensors", about=about)
    with pytest.raises(RunError, match="has other layers than the shipped cnn"):
        ship_run(finished[0])


def test_shipping_needs_a_finished_run(tmp_path):
    result = command("ship", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"train: {tmp_path} holds no finished run")


def test_the_shipped_checkpoint_is_the_deployed_network():
    model = simple_cnn()
    about = weights.load(model, weights.SHIPPED / "cnn.safetensors")
    assert about["network"] == "cnn"
    assert about["class_names"][3] == "cat"
    assert model.count_params() == 551_466
