"""Loading ImageNet weights from a synthetic file with torchvision's names and shapes."""

import hashlib

import numpy as np
import pytest
from safetensors.numpy import save_file

from train import imagenet
from train.architectures import resnet18
from train.weights import CheckpointError


def torchvision_shapes():
    """Return the 102 parameters and statistics of torchvision.models.resnet18, by name."""
    shapes = {"conv1.weight": (64, 3, 7, 7)}

    def norm(name, channels):
        for kind in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{kind}"] = (channels,)

    norm("bn1", 64)
    before = 64
    for layer, channels in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            name = f"layer{layer}.{block}"
            shapes[f"{name}.conv1.weight"] = (channels, before, 3, 3)
            norm(f"{name}.bn1", channels)
            shapes[f"{name}.conv2.weight"] = (channels, channels, 3, 3)
            norm(f"{name}.bn2", channels)
            if block == 0 and layer > 1:
                shapes[f"{name}.downsample.0.weight"] = (channels, before, 1, 1)
                norm(f"{name}.downsample.1", channels)
            before = channels
    shapes |= {"fc.weight": (1000, 512), "fc.bias": (1000,)}
    return shapes


@pytest.fixture(scope="module")
def tensors():
    rng = np.random.default_rng(0)
    found = {
        name: (
            rng.random(shape) + 0.5 if name.endswith("running_var") else rng.normal(0, 0.1, shape)
        )
        for name, shape in torchvision_shapes().items()
    }
    return {name: tensor.astype(np.float32) for name, tensor in found.items()}


@pytest.fixture(scope="module")
def path(tensors, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
    # Torchvision's files also have counters of batches, which mean nothing here.
    save_file(tensors | {"bn1.num_batches_tracked": np.zeros((), np.int64)}, path)
    return path


def test_every_tensor_is_loaded_into_its_layer(path, tensors):
    model = resnet18(1000, stem="imagenet")
    assert imagenet.load(model, path) == f"{path}: 102 of 102 tensors loaded"
    kernel = np.asarray(model.get_layer("stage3_block1_conv1").get_weights()[0])
    np.testing.assert_array_equal(kernel[1, 2, 5, 7], tensors["layer3.0.conv1.weight"][7, 5, 1, 2])
    np.testing.assert_array_equal(
        model.get_layer("stage2_block1_shortcut").get_weights()[0][0, 0],
        tensors["layer2.0.downsample.0.weight"][:, :, 0, 0].T,
    )
    gamma, beta, mean, variance = model.get_layer("stage4_block2_bn2").get_weights()
    for value, kind in ((gamma, "weight"), (beta, "bias")):
        np.testing.assert_array_equal(value, tensors[f"layer4.1.bn2.{kind}"])
    np.testing.assert_array_equal(mean, tensors["layer4.1.bn2.running_mean"])
    np.testing.assert_array_equal(variance, tensors["layer4.1.bn2.running_var"])
    np.testing.assert_array_equal(
        model.get_layer("logits").get_weights()[0], tensors["fc.weight"].T
    )


def test_the_stem_takes_unnormalised_images(path, tensors):
    """A window inside the image equals torchvision's on the normalised image."""
    import keras

    model = resnet18(1000, stem="imagenet")
    imagenet.load(model, path)
    image = np.random.default_rng(1).random((1, 32, 32, 3)).astype(np.float32)
    stem = keras.Model(model.input, model.get_layer("stem_bn").output)
    actual = np.asarray(stem(image, training=False))[0, 5, 5]
    normalised = (image[0] - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    window = normalised[7:14, 7:14]  # stride 2, padding 3: from 2 * 5 - 3
    convolved = np.einsum("yxc,ocyx->o", window, tensors["conv1.weight"])
    scale = tensors["bn1.weight"] / np.sqrt(tensors["bn1.running_var"] + 1e-5)
    expected = (convolved - tensors["bn1.running_mean"]) * scale + tensors["bn1.bias"]
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4)


def test_tensors_of_other_shapes_stay_random_and_are_named(path):
    model = resnet18()
    before = {w.path: w.numpy() for w in model.weights}
    line = imagenet.load(model, path)
    assert line.startswith(f"{path}: 95 of 102 tensors loaded; not loaded, because their shapes")
    for name in ("stem_conv/kernel", "stem_bn/gamma", "logits/kernel", "logits/bias"):
        assert name in line
        [weight] = [w for w in model.weights if w.path == name]
        np.testing.assert_array_equal(weight.numpy(), before[name])
    [changed] = [w for w in model.weights if w.path == "stage1_block1_conv1/kernel"]
    assert not np.array_equal(changed.numpy(), before["stage1_block1_conv1/kernel"])


def test_other_files_are_refused(tmp_path, tensors):
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        imagenet.load(resnet18(), tmp_path / "nope.safetensors")
    path = tmp_path / "half.safetensors"
    save_file({"conv1.weight": tensors["conv1.weight"]}, path)
    with pytest.raises(CheckpointError, match=r"not torchvision's ResNet18: it lacks bn1\.weight"):
        imagenet.load(resnet18(), path)
    deeper = {"layer1.2.conv1.weight": tensors["layer1.1.conv1.weight"]}
    save_file(tensors | deeper, path)
    with pytest.raises(CheckpointError, match=r"it also has layer1\.2\.conv1\.weight and 0 other"):
        imagenet.load(resnet18(), path)
    for channels in (1, 4):
        stem = np.zeros((64, channels, 7, 7), np.float32)
        save_file(tensors | {"conv1.weight": stem}, path)
        with pytest.raises(CheckpointError, match=r"expected conv1\.weight to take 3 channels"):
            imagenet.load(resnet18(), path)


def test_a_file_with_another_sha256_is_refused(path):
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    imagenet.check(path, digest.upper())
    with pytest.raises(CheckpointError, match=f"to have sha256 {'0' * 64}, but got {digest}"):
        imagenet.check(path, "0" * 64)


def test_a_failed_download_names_the_remedy(tmp_path):
    with pytest.raises(CheckpointError, match=r"could not be downloaded .* with --weights"):
        imagenet.download(url="http://127.0.0.1:9/model.safetensors", cache=tmp_path)
