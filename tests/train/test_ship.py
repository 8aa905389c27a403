"""The checkpoint that exports start from."""

import shutil

import numpy as np
import pytest

from tests.train.conftest import command
from tests.train.small import write_folder
from train import data, evaluation, weights
from train.architectures import simple_cnn
from train.run_files import RunError
from train.ship import ship_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of images and a finished run on it, as (run, data)."""
    root = tmp_path_factory.mktemp("shipping")
    images = write_folder(root / "data", per_class=100, test=2)
    run = root / "run"
    options = ("--recipe", "untaught", "--epochs", "4", "--precision", "float32")
    result = command("cnn", *options, "--data", images, "--out", run)
    assert result.exit_code == 0, result.stderr
    return run, images


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """The folder of the shipped checkpoints, empty."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    monkeypatch.setattr(weights, "SHIPPED", folder)
    return folder


@pytest.fixture
def worse(trained, tmp_path):
    """A run on the same images whose network classifies half of them wrong."""
    folder = tmp_path / "worse"
    shutil.copytree(trained[0], folder)
    model = simple_cnn(2)
    weights.load(model, folder / "weights.safetensors")
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([kernel * 0, bias * 0 + [0, 1]])
    weights.save(model, folder / "weights.safetensors")
    return folder


def test_shipping_keeps_the_weights_and_states_their_origin(finished, shipped):
    """There is no shipped checkpoint to compare with, so no data is read."""
    folder, _ = finished
    path = ship_run(folder)
    assert path == shipped / "cnn.safetensors"
    network, trained = simple_cnn(2), simple_cnn(2)
    about = weights.load(network, path)
    weights.load(trained, folder / "weights.safetensors")
    assert (about["recipe_name"], about["seed"]) == ("seed", 3)
    assert about["class_names"] == ["dark", "bright"]
    assert (about["teacher"], about["start_from"]) == (None, None)
    for expected, actual in zip(trained.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected.astype(np.float16).astype(np.float32))


def test_a_worse_run_is_shipped_only_if_asked(trained, worse, shipped):
    run, images = trained
    path = ship_run(run)
    before = path.read_bytes()
    held_out = data.load(images).held_out
    model = simple_cnn(2)
    weights.load(model, path)
    scores = evaluation.predict(model, held_out.images)
    top1 = evaluation.of_scores(scores, held_out).top1
    assert top1 > 0.5

    result = command("ship", worse, "--data", images)
    assert result.exit_code == 1
    assert result.stderr == (
        f"train: {worse} is less accurate than the shipped cnn, which was kept; add --accept-loss "
        f"to ship the run nevertheless.\n"
    )
    head, of_shipped, of_run, gain = result.stdout.splitlines()
    assert head == f"on the {len(held_out)} images of {images} that the run held out:"
    assert of_shipped.startswith("shipped cnn ")
    assert f"top-1 {top1:.2%} (" in of_shipped
    assert of_run.startswith(f"{worse}  top-1 50.00% (")
    assert f"{50 - 100 * top1:+.2f} (" in gain
    assert path.read_bytes() == before

    result = command("ship", worse, "--data", images, "--accept-loss")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == f"{path}: {path.stat().st_size:,} bytes"
    assert path.read_bytes() != before


def test_a_better_run_and_an_equal_one_are_shipped(trained, worse, shipped):
    run, images = trained
    ship_run(worse)
    for _ in range(2):
        result = command("ship", run, "--data", images)
        assert (result.exit_code, result.stderr) == (0, "")
    assert "+0.00 (" in result.stdout
    assert weights.about(shipped / "cnn.safetensors")["recipe_name"] == "untaught-4-epochs"


def test_another_network_takes_the_old_one_s_head_away(trained, worse, shipped):
    run, images = trained
    base = ship_run(run)
    head = shipped / "cnn-outlier-head.safetensors"
    weights.save(simple_cnn(2, outlier_head=16), head, extends=base)
    result = command("ship", run, "--data", images)
    assert result.exit_code == 0, result.stderr
    assert weights.exported("cnn") == head  # the same network, whose head fits
    result = command("ship", worse, "--data", images, "--accept-loss")
    assert result.exit_code == 0, result.stderr
    assert f"{head} fitted the network before and is deleted" in result.stdout
    assert weights.exported("cnn") == base


def test_both_are_compared_on_the_images_of_the_run_alone(trained, shipped, tmp_path):
    run, images = trained
    before = ship_run(run).read_bytes()
    other = write_folder(tmp_path / "other", per_class=30, test=2)
    result = command("ship", run, "--data", other, "--accept-loss")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"train: {run} was trained with other held-out images than {other} has; name the run's "
        f"data with --data.\n"
    )
    bare = tmp_path / "bare"
    shutil.copytree(run, bare)
    (bare / "held-out.safetensors").unlink()
    with pytest.raises(RunError, match=r"lacks held-out\.safetensors"):
        ship_run(bare, images)
    assert (shipped / "cnn.safetensors").read_bytes() == before
    result = command("ship", run, "--data", tmp_path / "typo")
    assert result.exit_code == 2
    assert "--data names" in result.stderr


def test_a_run_of_other_classes_or_layers_is_not_shipped(finished, tmp_path, monkeypatch):
    result = command("ship", finished[0], "--accept-loss")
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
