"""Quantization-aware training, on few images; that it helps is measured in docs/results.md."""

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.inference.metadata import read_metadata
from export import committed, pipeline, verify
from export.errors import ExportError
from export.inputs import load_inputs
from export.lint import lint
from train import weights
from train.architectures import resnet18, simple_cnn
from train.dataset import Dataset
from train.evaluation import predict

qat = pytest.importorskip("export.qat")
tf_keras_model = pytest.importorskip("export.tf_keras_model")
COMMITTED = committed.read()
FEW = COMMITTED.train.take(np.arange(0, 496, 8))
OTHERS = COMMITTED.train.take(np.arange(1, 497, 8))  # the same number of other images
RECIPE = qat.FineTuning(epochs=2, batch_size=32)


def shipped_cnn():
    model = simple_cnn()
    weights.load(model, weights.SHIPPED / "cnn.safetensors")
    return model


def tune(teacher, run_dir: Path, say=print, **changes):
    options = {"train": FEW, "recipe": RECIPE, "identity": "cnn", "say": say} | changes
    return qat.fine_tune(teacher, run_dir=run_dir, calibration=FEW.images, **options)


def values(model):
    return [np.asarray(v.numpy()) for v in model.variables]


@pytest.fixture(scope="module")
def teacher():
    return tf_keras_model.build(shipped_cnn())


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, teacher):
    return tune(teacher, tmp_path_factory.mktemp("qat"))


def test_a_resumed_run_ends_with_the_same_weights(tuned, teacher, tmp_path):
    class Stopped(Exception):
        pass

    def stop(line):
        raise Stopped(line)

    with pytest.raises(Stopped, match="epoch 1/2"):
        tune(teacher, tmp_path, say=stop)
    said = []
    again = tune(teacher, tmp_path, say=said.append)
    assert said[0] == "resuming after epoch 1 of 2"
    for one, other in zip(values(tuned), values(again), strict=True):
        np.testing.assert_array_equal(one, other)
    said.clear()
    tune(teacher, tmp_path, say=said.append, identity="another network")
    assert "epoch 1/2" in said[0]
    said.clear()
    tune(teacher, tmp_path, say=said.append, train=OTHERS)
    assert "epoch 1/2" in said[0]


@pytest.mark.parametrize("build", [shipped_cnn, resnet18])
def test_every_kernel_is_rounded_in_training_with_one_scale_per_channel(build, tmp_path):
    model = build()
    student = tune(tf_keras_model.build(model), tmp_path, recipe=qat.FineTuning(epochs=0))
    wrapped = [x for x in student.layers if x.trainable_variables]
    assert len(wrapped) == len([x for x in model.layers if isinstance(x, tf_keras_model.LINEAR)])
    for layer in wrapped:
        kernel, bias = sorted(layer.trainable_variables, key=lambda v: len(v.shape), reverse=True)
        small = np.full(kernel.shape, 1 / 300, np.float32)  # less than half a step
        small[..., 0, 0] = 1.0
        kernel.assign(small)
        bias.assign(np.zeros(bias.shape))
        inputs = np.full((1, *layer.input_shape[1:]), 1000, np.float32)
        inputs[..., 0] = 0
        outputs = layer(inputs, training=True).numpy()
        assert outputs[..., 0].max() == 0, f"{layer.name} has a kernel in float"
        assert outputs[..., 1].min() > 0, f"{layer.name} has one scale for all channels"


def test_the_teacher_stays_as_it_was_and_the_student_learns(tuned, teacher):
    fresh = tf_keras_model.build(shipped_cnn()).get_weights()
    for one, other in zip(fresh, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    [kernel] = [v for v in tuned.trainable_variables if v.name == "block1_conv1/kernel:0"]
    assert np.abs(kernel.numpy() - fresh[0]).max() > 0


@pytest.mark.parametrize("metadata", [{}, {"identity": "of a training", "state": "{}"}])
def test_a_checkpoint_of_something_else_is_not_replaced(teacher, tmp_path, metadata):
    """A training may have been told to write into the same folder."""
    path = tmp_path / qat.CHECKPOINT
    weights.write(path, {"kernel": np.zeros(3, np.float32)}, metadata)
    before = path.read_bytes()
    with pytest.raises(weights.CheckpointError, match="is not from quantization-aware training"):
        tune(teacher, tmp_path)
    assert path.read_bytes() == before


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "io", ["uint8", pytest.param("int8", marks=SLOW), pytest.param("float32", marks=SLOW)]
)
def test_the_graph_is_full_integer_and_close_to_the_float_network(tuned, tmp_path, io):
    path = tmp_path / "m.tflite"
    path.write_bytes(qat.to_int8(tuned, io=io))
    assert lint(path, io=io, integer=True) == []
    held_out = COMMITTED.held_out.take(np.arange(0, 500, 5))
    expected = predict(shipped_cnn(), held_out.images)
    scores = verify.file_scores(path, held_out.images)
    comparison = verify.compare(expected, scores, held_out.labels)
    assert comparison.agreement >= 0.95
    assert comparison.max_difference > 0


@SLOW
def test_the_card_says_what_made_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(qat, "FineTuning", lambda: RECIPE)
    data = Dataset(FEW, COMMITTED.held_out, COMMITTED.held_out, COMMITTED.class_names)
    cnn = load_inputs("cnn", weights.SHIPPED / "cnn.safetensors", data=data)
    out = tmp_path / "m.tflite"
    run = tmp_path / "run"
    pipeline.export_tflite(pipeline.QuantizationMode.QAT, out, cnn, max_drop=0.02, qat_dir=run)
    card = read_metadata(out).card
    assert card["precision"] == "int8-qat"
    assert "tensorflow-model-optimization" in card["tools"]
    assert card["calibration"]["images"] == 500
    with_nothing = load_inputs("cnn", weights.SHIPPED / "cnn.safetensors")
    with pytest.raises(ExportError, match="name the data set with --data"):
        pipeline.export_tflite(pipeline.QuantizationMode.QAT, out, with_nothing)
