"""The head that tells outliers from the classes: how it judges, and how it is trained."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from tests.train.conftest import command
from tests.train.small import DATA, HELD_OUT, outliers_in, write_folder, write_outliers
from train import outlier_head, run, weights
from train.architectures import resnet18, simple_cnn
from train.evaluation import predict
from train.recipes import RECIPES

RECIPE = dataclasses.replace(
    RECIPES["cnn", "outlier-head"], epochs=2, batch_size=16, precision="float32"
)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """The checkpoint of a CNN for the two classes."""
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("network") / "cnn.safetensors"
    about = {"class_names": DATA.class_names, "recipe": {"architecture": {}}}
    weights.save(simple_cnn(2), path, about={"network": "cnn"} | about)
    return path


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    return outliers_in(tmp_path_factory.mktemp("stripes"))


@pytest.fixture(scope="module")
def finished(tmp_path_factory, network, stripes):
    """A finished run of two epochs."""
    folder = tmp_path_factory.mktemp("runs") / "head"
    run.train(RECIPE, "outlier-head", DATA, folder, seed=3, start_from=network, outliers=stripes)
    return folder


@pytest.mark.parametrize(
    ("build", "alone", "width", "of_head"),
    [
        # 32 + 64 + 128 means and as many maxima, the 128 features, 7 biases, the sum, and
        # the last layer
        (simple_cnn, 551_466, 16, 16 * (2 * 224 + 128) + 7 * 16 + 7 * 16 * 16 + 16 + 16 + 1),
        # 64 + 128 + 256 means and the 512 features, 4 biases, the sum, and the last layer
        (resnet18, 11_183_562, 32, 32 * 960 + 4 * 32 + 4 * 32 * 32 + 32 + 32 + 1),
    ],
)
def test_the_network_keeps_its_weights_and_its_best_class(build, alone, width, of_head):
    keras.utils.set_random_seed(0)
    judged = build(outlier_head=width)
    assert outlier_head.parameters(judged) == of_head
    assert judged.count_params() - of_head == build().count_params() == alone
    plain = build()
    own = {weight.path: weight for weight in judged.weights}
    for weight in plain.weights:
        weight.assign(own[weight.path])
    scores, without = predict(judged, HELD_OUT.images), predict(plain, HELD_OUT.images)
    inside = scores.sum(axis=1, keepdims=True)
    assert 0 < inside.min() < inside.max() < 1
    np.testing.assert_allclose(scores, without * inside, atol=1e-6)
    assert outlier_head.parameters(plain) == 0


def test_outliers_score_low_and_the_network_stays(finished, network, stripes):
    report = json.loads((finished / "report.json").read_text())
    assert report["recipe"]["architecture"] == {"outlier_head": 16}
    assert report["outliers"][0]["images"] > 0
    model = simple_cnn(2, outlier_head=16)
    about = weights.load(model, finished / "weights.safetensors")
    assert about["start_from"] == weights.file_hash(network)
    trained = weights.read(finished / "weights.safetensors")[0]
    for name, before in weights.read(network)[0].items():
        np.testing.assert_array_equal(trained[name], before)
    inside = predict(model, DATA.test.images).sum(axis=1)
    outside = predict(model, stripes[0].validation).sum(axis=1)
    assert np.median(inside) > 0.8 > 0.4 > np.median(outside)
    history = json.loads((finished / "history.json").read_text())
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    # The head that is trained normalises what it reads; the deployed one has that in its kernels.
    scores = predict(model, DATA.held_out.images)
    right = scores[np.arange(len(scores)), DATA.held_out.labels]
    assert -np.log(right).mean() == pytest.approx(history[-1]["held_out_loss"], rel=1e-4)


def test_the_head_of_resnet18(stripes, tmp_path):
    start = tmp_path / "resnet18.safetensors"
    keras.utils.set_random_seed(0)
    weights.save(resnet18(2), start)
    changes = {"epochs": 1, "batch_size": 16, "precision": "float32"}
    recipe = dataclasses.replace(RECIPES["resnet18", "outlier-head"], **changes)
    few = dataclasses.replace(DATA, train=DATA.train.take(np.arange(64)))
    run.train(
        recipe, "outlier-head", few, tmp_path / "run", seed=3, start_from=start, outliers=stripes
    )
    model = resnet18(2, outlier_head=32)
    weights.load(model, tmp_path / "run" / "weights.safetensors")
    inside = predict(model, DATA.test.images).sum(axis=1)
    outside = predict(model, stripes[0].validation).sum(axis=1)
    assert np.median(inside) > np.median(outside)


def test_a_resumed_run_ends_as_an_uninterrupted_one(finished, network, stripes, tmp_path):
    def train(epochs):
        recipe = dataclasses.replace(RECIPE, schedule="plateau", epochs=epochs)
        run.train(
            recipe, "outlier-head", DATA, folder, seed=3, start_from=network, outliers=stripes
        )
        return weights.read(folder / "weights.safetensors")[0]

    folder = tmp_path / "whole"
    whole = train(2)
    folder = tmp_path / "resumed"
    train(1)
    path = folder / "checkpoint.safetensors"
    tensors, metadata = weights.read(path)
    identity = json.loads(metadata["identity"])
    identity["recipe"]["epochs"] = 2
    weights.write(path, tensors, metadata | {"identity": json.dumps(identity)})
    resumed = train(2)
    for name, expected in whole.items():
        np.testing.assert_array_equal(resumed[name], expected)


def test_the_head_ships_in_a_file_of_its_own(finished, network, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    result = command("ship", finished)
    assert result.exit_code == 1
    assert "is a head of another network than" in result.stderr
    base = tmp_path / "cnn.safetensors"
    base.write_bytes(network.read_bytes())
    assert weights.exported("cnn") == base
    monkeypatch.setattr("train.ship._held_out", lambda run_dir, data: DATA.held_out)
    result = command("ship", finished)
    assert result.exit_code == 0, result.stderr
    assert "+0.00 (" in result.stdout
    path = tmp_path / "cnn-outlier-head.safetensors"
    assert weights.exported("cnn") == path
    assert path.stat().st_size < 0.05 * base.stat().st_size
    shipped, trained = (simple_cnn(2, outlier_head=16) for _ in range(2))
    about = weights.load(shipped, path)
    assert about["recipe"]["architecture"] == {"outlier_head": 16}
    assert about["outlier_head"]["recipe_name"] == "outlier-head"
    weights.load(trained, finished / "weights.safetensors")
    scores = [predict(model, HELD_OUT.images) for model in (shipped, trained)]
    np.testing.assert_allclose(*scores, atol=0.01)  # its weights are float16
    weights.save(simple_cnn(2), base)
    with pytest.raises(weights.CheckpointError, match=r"extends other weights than those in cnn"):
        weights.load(shipped, path)
    # A head of another network does not keep this one's head from shipping.
    weights.save(shipped, path, extends=base)
    base.write_bytes(network.read_bytes())
    assert not weights.fits(path)
    result = command("ship", finished)
    assert result.exit_code == 0, result.stderr
    assert weights.fits(path)
    base.unlink()
    with pytest.raises(weights.CheckpointError, match=r"There is no checkpoint .*cnn\.safetensors"):
        weights.load(shipped, path)


def test_the_command_trains_a_head_for_a_network_of_one_s_own(network, tmp_path):
    images = write_folder(tmp_path / "data")
    missing = command("cnn", "--recipe", "outlier-head", "--data", images)
    assert missing.exit_code == 2
    assert "outlier-head learns from outliers; name a folder" in missing.stderr
    stripes = write_outliers(tmp_path / "stripes", [f"{k}.png" for k in range(30)])
    without = ("--without", "outliers", "--outliers", stripes)
    refused = command("cnn", "--recipe", "outlier-head", "--data", images, *without)
    assert refused.exit_code == 2
    assert "--without outliers: the head learns from nothing else" in refused.stderr
    own = tmp_path / "own.safetensors"
    weights.save(simple_cnn(2), own, about={"class_names": ["dark", "light"]})
    options = ("--outliers", stripes, "--from", own, "--epochs", "1", "--out", tmp_path / "run")
    result = command("cnn", "--recipe", "outlier-head", "--data", images, *options)
    assert result.exit_code == 0, result.stderr
    assert f"{own}: all weights loaded; they stay as they are" in result.stdout
    assert "outliers in stripes: " in result.stdout
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["recipe_name"] == "outlier-head-1-epochs"
