"""Continuing from a checkpoint: the network begins as the checkpoint ends."""

import keras
import numpy as np
import pytest

from tests.train.small import HELD_OUT, TRAIN
from train import continuation, weights
from train.architectures import simple_cnn
from train.evaluation import predict

FORMS = {
    "deployed": {},
    "with norms": {"norm": "every"},
    "with branches": {"norm": "every", "branches": True},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_scores_are_the_checkpoint_s_with_the_moments_of_a_batch_too(tmp_path, form):
    keras.utils.set_random_seed(0)
    before = simple_cnn(2)
    norm = before.get_layer("block2_bn1")
    norm.set_weights([weight + 0.5 for weight in norm.get_weights()])  # moments of nothing
    path = tmp_path / "cnn.safetensors"
    weights.save(before, path)
    model = simple_cnn(2, dropout_blocks=0.0, dropout_head=0.0, **form)
    assert (
        continuation.load(model, simple_cnn(2), path, TRAIN.images) == f"{path}: all weights loaded"
    )
    expected = predict(before, HELD_OUT.images)
    np.testing.assert_allclose(predict(model, HELD_OUT.images), expected, atol=1e-5)
    whole = TRAIN.images.astype(np.float32) / 255
    in_training = np.asarray(model(whole, training=True))
    np.testing.assert_allclose(in_training, predict(before, TRAIN.images), atol=1e-3)
    plain = simple_cnn(2, dropout_blocks=0.0, dropout_head=0.0)
    weights.load(plain, path)
    assert np.abs(np.asarray(plain(whole, training=True)) - in_training).max() > 1e-2
