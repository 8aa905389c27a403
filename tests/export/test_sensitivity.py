"""A CNN that is hard to quantize: its ranking must point at the cause, and mixing must cure it."""

import csv
import sys
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edge_runtime.inference.metadata import read_metadata
from edge_runtime.support.metrics import top1
from export import convert, pipeline, quantize, sensitivity, source, verify
from export.lint import lint
from train import weights
from train.architectures import simple_cnn

CULPRIT = "block1_conv1"


def load(path) -> source.Source:
    """Load a CNN with a fifth of the calibration images, which is enough and quicker."""
    whole = source.load("cnn", path)
    few = replace(whole.calibration, images=whole.calibration.images[::5])
    return replace(whole, calibration=few)


def int8_drop(model, images, tmp_path) -> float:
    """Return the top-1 that plain int8 loses, a fraction."""
    path = tmp_path / "plain.tflite"
    path.write_bytes(quantize.to_int8(model, images.calibration.images))
    scores = verify.file_scores(path, images.held_out.images)
    return top1(images.scores, images.held_out.labels) - top1(scores, images.held_out.labels)


def enlarge(model, channel: int, factor: float) -> None:
    """Scale one channel of the first convolution's BatchNorm, and take it back in the next layer.

    The float network stays as good as it was; in int8 the other channels share what range is left.
    """
    norm, reader = model.get_layer("block1_bn1"), model.get_layer("block1_conv2")
    gamma, beta, mean, variance = norm.get_weights()
    gamma[channel] *= factor
    beta[channel] *= factor
    norm.set_weights([gamma, beta, mean, variance])
    kernel, bias = reader.get_weights()
    kernel[:, :, channel] /= factor
    reader.set_weights([kernel, bias])


@pytest.fixture(scope="module")
def hard(tmp_path_factory):
    """The shipped CNN with one channel enlarged until plain int8 loses at least 5 points."""
    folder = tmp_path_factory.mktemp("hard")
    model = simple_cnn()
    weights.load(model, weights.SHIPPED / "cnn.safetensors")
    images = load(weights.SHIPPED / "cnn.safetensors")
    for _ in range(3):
        enlarge(model, 5, 16.0)
        if int8_drop(model, images, folder) >= 0.05:
            break
    path = folder / "hard.safetensors"
    weights.save(model, path)
    return load(path)


def test_it_is_hard_to_quantize_and_as_good_as_before_in_float(hard, tmp_path):
    assert int8_drop(hard.model, hard, tmp_path) >= 0.05
    shipped = load(weights.SHIPPED / "cnn.safetensors")
    np.testing.assert_allclose(hard.scores, shipped.scores, atol=1e-4)
    with pytest.raises(pipeline.ExportError, match=r"it loses more than 0\.5 points"):
        pipeline.export_tflite(pipeline.Quantization.INT8, tmp_path / "out" / "m.tflite", hard)
    assert list((tmp_path / "out").iterdir()) == []


def test_explain_points_at_the_layer(hard, tmp_path):
    errors = sensitivity.explain(hard)
    assert errors[0].layer == CULPRIT
    assert errors[0].regained >= 0.05
    assert max(error.regained for error in errors[1:]) < errors[0].regained
    assert errors[0].sqnr_db < errors[1].sqnr_db - 10
    assert sorted(error.layer for error in errors) == sorted(
        layer.name for layer in hard.model.layers if "kernel" in {w.name for w in layer.weights}
    )
    table, plot = sensitivity.write(errors, tmp_path / "ranking", "hard")
    with table.open() as stream:
        assert [row["layer"] for row in csv.DictReader(stream)] == [e.layer for e in errors]
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_mixed_recovers_the_accuracy(hard, tmp_path, capfd):
    out = tmp_path / "mixed.tflite"

    def say(line):  # as the command does
        print(line, file=sys.stderr, flush=True)

    export = pipeline.export_tflite(
        pipeline.Quantization.INT8, out, hard, max_drop=0.001, mixed=True, say=say
    )
    said = capfd.readouterr().err
    assert export.comparison.top1_drop <= 0.001
    assert CULPRIT in export.float_layers
    assert len(export.float_layers) <= 3  # of 8
    assert export.findings == []
    assert f"kept in float: {', '.join(export.float_layers)}; price: " in said
    assert " us an image" in said
    card = read_metadata(out).card
    assert card["float_layers"] == list(export.float_layers)
    assert card["io"]["input"]["dtype"] == "float32"
    [finding] = lint(out, io="float32", integer=True)
    assert "in float inside an integer graph" in finding


def test_all_layers_may_have_to_stay_in_float(hard):
    kept = sensitivity.keep_fewest_in_float(hard, -2.0, say=print)  # which nothing holds
    assert len(kept.layers) == 8
    assert kept.graph == convert.to_float32(hard.model)


def test_the_input_takes_every_pixel_whatever_the_calibration_images_show(hard):
    dull = replace(hard.calibration, images=hard.calibration.images // 4 + 20)
    with sensitivity._quantizer(replace(hard, calibration=dull)) as quantizer:
        graph = schema.ModelT.InitFromPackedBuf(quantizer.graph(()))
    [subgraph] = graph.subgraphs
    [first] = [op for op in subgraph.operators if op.inputs[0] == subgraph.inputs[0]]
    pixels = subgraph.tensors[first.outputs[0]].quantization
    assert pixels.scale[0] == np.float32(1 / 255)
    assert pixels.zeroPoint[0] == -128


def test_mixed_keeps_nothing_where_plain_int8_will_do(tmp_path):
    easy = load(weights.SHIPPED / "cnn.safetensors")
    kept = sensitivity.keep_fewest_in_float(easy, 0.005, say=print)
    assert kept.layers == ()
    said = []
    export = pipeline.export_tflite(
        pipeline.Quantization.INT8, tmp_path / "m.tflite", easy, mixed=True, say=said.append
    )
    assert said == ["no layer has to be kept in float"]
    assert (export.float_layers, export.findings) == ((), [])
    card = read_metadata(export.path).card
    assert card["io"]["input"]["dtype"] == "float32"  # as with layers in float
