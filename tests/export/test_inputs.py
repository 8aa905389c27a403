"""Loading a checkpoint with the images that an export needs."""

import pytest

from export.inputs import load_inputs
from train import weights
from train.architectures import resnet18, simple_cnn

CHECKPOINT = weights.SHIPPED / "cnn.safetensors"


@pytest.mark.parametrize("damage", ["missing", "truncated", "another network", "other classes"])
def test_bad_checkpoints(tmp_path, damage):
    path = tmp_path / "cnn.safetensors"
    if damage == "truncated":
        path.write_bytes(CHECKPOINT.read_bytes()[:1000])
    elif damage == "another network":
        weights.save(resnet18(), path)
    elif damage == "other classes":
        weights.save(simple_cnn(2), path, about={"class_names": ["ant", "bee"]})
    with pytest.raises(weights.CheckpointError, match=str(path)):
        load_inputs("cnn", path)


def test_a_checkpoint_of_another_network_is_named(tmp_path):
    path = tmp_path / "weights.safetensors"
    weights.save(resnet18(), path, about={"network": "resnet18"})
    with pytest.raises(
        weights.CheckpointError, match="a resnet18, not a cnn; add --network resnet18"
    ):
        load_inputs("cnn", path)
