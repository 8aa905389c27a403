"""Fine-tuning EfficientNet-Lite0 on photographs of a user's own classes."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from edge_runtime.inference.quantization import Quantization
from edge_runtime.teaching.embedding import comparable
from edge_runtime.teaching.head import softmax
from edge_runtime.teaching.learning import learn
from edge_runtime.teaching.views import VIEWS, views_of
from tests.train.conftest import command
from tests.train.small import write_folder
from train import finetune, folder, run, weights
from train.architectures import simple_cnn
from train.efficientnet import FEATURE_BLOCKS, NAME, feature_extractor
from train.evaluation import predict
from train.fit import Training
from train.networks import NETWORKS
from train.recipes import RECIPES
from train.report import as_text
from train.weights import CheckpointError

SIDE = 64
CHECKPOINT = weights.SHIPPED / f"{NAME}.safetensors"
RECIPE = dataclasses.replace(
    RECIPES[NAME, "best"],
    architecture={"side": SIDE, "stage_features": True},
    epochs=2,
    precision="float32",
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


def test_a_teacher_of_cifar10_trains_on_enlarged_images(tmp_path):
    """It has no features of stages, from which the last layer of the other recipe is fitted."""
    images = write_folder(tmp_path / "images", per_class=10, test=2)
    options = ("--recipe", "cifar10", "--side", 64, "--epochs", 1, "--precision", "float32")
    result = command(NAME, "--data", images, *options, "--out", tmp_path / "run")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "last layer fitted" not in result.stdout
    path = tmp_path / "run" / "weights.safetensors"
    values, _ = weights.read(path)
    assert weights.about(path)["recipe"]["architecture"] == {"side": 64}
    assert values["logits/kernel"].shape == (1280, 2)
    assert np.any(values["logits/kernel"])


def test_the_last_layer_starts_at_zero():
    model = NETWORKS[NAME].build(2, side=SIDE)
    finetune.load(model, CHECKPOINT)
    assert not any(np.any(values) for values in model.get_layer("logits").get_weights())


def test_the_command_says_what_it_starts_from(tuned):
    lines = tuned[1].splitlines()
    assert lines[0].startswith("18 images to train on, 2 held out, 4 to test on; in float32")
    assert lines[1] == f"{CHECKPOINT}: all weights loaded but those of the last layer"
    assert lines[2] == "last layer fitted on 18 images, top-1 100.00% of them in cross-validation"
    assert lines[3].startswith("before the first epoch: held-out loss 0.")
    assert lines[4].startswith("epoch 1/2")
    assert f"{NAME}, recipe best-2-epochs-side-64, 2 epochs" in lines


def test_the_weights_say_how_to_build_their_network(tuned):
    path = tuned[0] / "weights.safetensors"
    about = weights.about(path)
    assert about["network"] == NAME
    assert about["class_names"] == ["dark", "light"]
    assert about["start_from"] == weights.file_hash(CHECKPOINT)
    assert about["recipe"]["architecture"] == {"stage_features": True, "side": SIDE}
    model = NETWORKS[about["network"]].build(2, **about["recipe"]["architecture"])
    weights.load(model, path)
    assert model.input_shape == (None, SIDE, SIDE, 3)


def fitted(data, folder, **changes):
    """Return the weights of a training by name, the state after it, and the lines it printed."""
    recipe = dataclasses.replace(RECIPE, **changes)
    training = Training(recipe, data.train, data.held_out, classes=2, start_from=CHECKPOINT)
    lines = []
    model, state = training.fit(folder, say=lines.append)
    return {weight.path: weight.numpy() for weight in model.weights}, state, lines


def test_frozen_layers_keep_their_weights_and_the_others_learn(data, tmp_path):
    before, _ = weights.read(CHECKPOINT)
    after, _, lines = fitted(data, tmp_path, epochs=1, early_stopping_patience=None)
    assert not any("before the first epoch" in line for line in lines)
    stages = RECIPE.training_form["frozen_stages"]
    frozen = ("stem_", *(f"stage{number}_" for number in range(1, stages + 1)))
    for name, value in before.items():
        if name.startswith("logits/"):
            continue
        kept = name.startswith(frozen) or "_bn/" in name
        assert np.array_equal(after[name], value.astype(np.float32)) == kept, name


@pytest.mark.slow
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
        (NAME, ["--data", ".", "--recipe", "seed"], f"{NAME} has the recipes best, cifar10."),
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
    with pytest.raises(ValueError, match=f"a checkpoint of {NAME} to start from"):
        Training(RECIPE, data.train, data.held_out, classes=2)


def test_epochs_that_do_harm_are_not_kept(data, tmp_path):
    before, _ = weights.read(CHECKPOINT)
    after, state, _ = fitted(data, tmp_path, epochs=9, learning_rate=0.5, early_stopping_patience=1)
    assert (state.epoch, state.best_epoch) == (1, 0)
    assert state.best_loss < state.history[0]["held_out_loss"]
    for name, value in before.items():
        if not name.startswith("logits/"):
            np.testing.assert_array_equal(after[name], value.astype(np.float32), err_msg=name)


def test_the_report_says_which_epoch_is_kept(tuned):
    report = json.loads((tuned[0] / "report.json").read_text())
    said = "so only the last layer is new" in tuned[1]
    assert said == (report["best_epoch"] == 0)
    changed = as_text(report | {"best_epoch": 2})
    assert (
        "the weights after epoch 2 are kept, because their held-out loss is the lowest" in changed
    )


def test_the_last_layer_is_that_of_edge_teach(data):
    """On the float network's features, which differ from those of the int8 backbone by rounding."""
    model = NETWORKS[NAME].build(2, side=SIDE, stage_features=True)
    finetune.load(model, CHECKPOINT)
    finetune.fit_last_layer(model, data.train)
    images = np.stack([views_of(Image.fromarray(i), one_image) for i in data.train.images])
    extractor = feature_extractor(model)
    features = np.stack(
        [np.asarray(extractor(images[:, v, 0].astype(np.float32))) for v in range(len(VIEWS))], 1
    )
    blocks = [block.channels for block in FEATURE_BLOCKS]
    comparable_features, factor = comparable(features, blocks, Quantization(0.0, 0))
    head = learn(comparable_features, data.train.labels.astype(np.intp), 2, print).head
    kernel, _ = model.get_layer("logits").get_weights()
    np.testing.assert_allclose(kernel, head.weights * factor[:, np.newaxis], atol=1e-3)
    expected = softmax(head.logits(comparable_features[:, 0]))
    np.testing.assert_allclose(predict(model, data.train.images), expected, atol=1e-3)


def one_image(image):
    return np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR))[np.newaxis]


def test_a_frozen_network_trains_nothing_below():
    model = NETWORKS[NAME].build(2, side=SIDE, frozen_stages=7)
    names = {weight.path for weight in model.trainable_weights}
    assert names == {"head_conv/kernel", "logits/kernel", "logits/bias"}
