"""Fine-tuning EfficientNet-Lite0 on photographs of a user's own classes."""

import dataclasses

import numpy as np
import pytest

from tests.train.conftest import command
from tests.train.small import write_folder
from train import finetune, folder, run, weights
from train.architectures import simple_cnn
from train.efficientnet import NAME
from train.fit import Training
from train.networks import NETWORKS
from train.recipes import RECIPES
from train.weights import CheckpointError

SIDE = 64
CHECKPOINT = weights.SHIPPED / f"{NAME}.safetensors"
RECIPE = dataclasses.replace(
    RECIPES[NAME, "best"], architecture={"side": SIDE}, epochs=2, precision="float32"
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("images"), per_class=10, test=2)


@pytest.fixture(scope="module")
def data(images):
    return folder.load(images, SIDE)


@pytest.fixture(scope="module")
def tuned(images, tmp_path_factory):
    """The folder of a run of the command, and what it printed."""
    out = tmp_path_factory.mktemp("runs") / "run"
    options = ("--side", SIDE, "--epochs", 2, "--precision", "float32", "--out", out)
    result = command(NAME, "--data", images, *options)
    assert (result.exit_code, result.stderr) == (0, "")
    return out, result.stdout


def test_the_command_says_what_it_starts_from(tuned):
    lines = tuned[1].splitlines()
    assert lines[0].startswith("18 images to train on, 2 held out, 4 to test on; in float32")
    assert lines[1] == f"{CHECKPOINT}: all weights loaded but those of the last layer"
    assert lines[2].startswith("last layer fitted on 18 images, top-1 100.00%")
    assert lines[3].startswith("epoch 1/2")
    assert f"{NAME}, recipe best-2-epochs-side-64, 2 epochs" in lines


def test_the_weights_say_how_to_build_their_network(tuned):
    path = tuned[0] / "weights.safetensors"
    about = weights.about(path)
    assert about["network"] == NAME
    assert about["class_names"] == ["dark", "light"]
    assert about["start_from"] == weights.file_hash(CHECKPOINT)
    assert about["recipe"]["architecture"] == {"side": SIDE}
    model = NETWORKS[about["network"]].build(2, **about["recipe"]["architecture"])
    weights.load(model, path)
    assert model.input_shape == (None, SIDE, SIDE, 3)


def test_frozen_layers_keep_their_weights_and_the_others_learn(tuned):
    before, _ = weights.read(CHECKPOINT)
    after, _ = weights.read(tuned[0] / "weights.safetensors")
    stages = RECIPE.training_form["frozen_stages"]
    frozen = ("stem_", *(f"stage{number}_" for number in range(1, stages + 1)))
    for name, value in before.items():
        if name.startswith("logits/"):
            continue
        kept = name.startswith(frozen) or "_bn/" in name
        assert np.array_equal(after[name], value.astype(np.float32)) == kept, name


def test_a_stopped_run_resumes_and_ends_with_equal_weights(tuned, data, tmp_path):
    class PowerLoss(Exception):
        """Ends a training right after the checkpoint of its first epoch."""

    def say(line):
        if line.startswith("epoch 1"):
            raise PowerLoss

    with pytest.raises(PowerLoss):
        Training(RECIPE, data.train, data.held_out, classes=2, start_from=CHECKPOINT).fit(
            tmp_path, say=say
        )
    run.train(RECIPE, "best", data, tmp_path, seed=0)
    whole, _ = weights.read(tuned[0] / "weights.safetensors")
    resumed, _ = weights.read(tmp_path / "weights.safetensors")
    for name, value in whole.items():
        np.testing.assert_array_equal(resumed[name], value, err_msg=name)


def test_a_tuned_network_does_not_replace_the_one_for_imagenet(tuned):
    before = CHECKPOINT.read_bytes()
    result = command("ship", tuned[0], "--accept-loss")
    assert result.exit_code == 1
    assert f"has other classes than the shipped {NAME}; export it by itself" in result.stderr
    assert CHECKPOINT.read_bytes() == before


@pytest.mark.parametrize(
    ("network", "arguments", "message"),
    [
        (NAME, [], "fine-tuned on your own photographs; name their folder with --data."),
        (NAME, ["--data", ".", "--side", "16"], "16 is not in the range"),
        (NAME, ["--data", ".", "--recipe", "seed"], f"{NAME} has the recipes best."),
        ("cnn", ["--side", "64"], "No such option: --side"),
    ],
)
def test_wrong_arguments(tmp_path, network, arguments, message):
    result = command(network, "--out", tmp_path / "run", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "run").exists()


def test_cifar10_is_too_small_for_it(tmp_path):
    (tmp_path / "data_batch_1.bin").touch()
    result = command(NAME, "--data", tmp_path, "--side", "192", "--out", tmp_path.parent / "run")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "train: Expected photographs as {train,test}/CLASS/*, for a network that takes 192 x 192 "
        f"pixels, but got {tmp_path}; name their folder with --data.\n"
    )


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    path = tmp_path / "cnn.safetensors"
    weights.save(simple_cnn(), path)
    with pytest.raises(CheckpointError, match=r"expected stem_conv/kernel to be .*, but got noth"):
        finetune.load(NETWORKS[NAME].build(2, side=SIDE), path)


def test_fine_tuning_needs_a_checkpoint(data):
    with pytest.raises(ValueError, match=f"a checkpoint of {NAME} to fine-tune"):
        Training(RECIPE, data.train, data.held_out, classes=2)


def test_the_last_layer_is_fitted_to_a_minimum():
    rng = np.random.default_rng(0)
    labels = np.array([0] * 60 + [1] * 20 + [2] * 20)
    features = rng.normal(5, 2, (100, 40)).astype(np.float32)
    features[:, :3] += 2 * np.eye(3, dtype=np.float32)[labels]
    kernel, bias = finetune.softmax_regression(features, labels, 3)
    assert (kernel.shape, bias.shape) == ((40, 3), (3,))
    logits = features @ kernel + bias
    assert (logits.argmax(axis=1) == labels).mean() > 0.8
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    # The bias is not regularised, so at the minimum each class's scores add up to its images.
    np.testing.assert_allclose(scores.sum(axis=0), [60, 20, 20], atol=0.1)
    # And the kernel's gradient is opposite to it, in every weight by the same factor.
    pull = (features - features.mean(axis=0)).T @ (np.eye(3)[labels] - scores)
    factors = (pull * kernel).sum() / (kernel**2).sum()
    np.testing.assert_allclose(pull, factors * kernel, atol=0.02 * np.abs(pull).max())
    assert factors > 0


def test_a_frozen_network_trains_nothing_below():
    model = NETWORKS[NAME].build(2, side=SIDE, frozen_stages=7)
    names = {weight.path for weight in model.trainable_weights}
    assert names == {"head_conv/kernel", "logits/kernel", "logits/bias"}
