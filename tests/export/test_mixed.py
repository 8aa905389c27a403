"""Mixed precision: it recovers what int8 costs a CNN that is hard to quantize."""

import sys

import numpy as np
import pytest

from edge_runtime.inference.metadata import read_metadata
from export import convert, pipeline
from export.errors import ExportError
from export.lint import lint
from export.mixed import keep_fewest_in_float
from tests.export.conftest import int8_drop


def test_plain_int8_of_a_hard_network_is_not_written(hard, easy, tmp_path):
    """In float it is as accurate as the shipped network."""
    assert int8_drop(hard, hard.model, tmp_path) >= 0.05
    np.testing.assert_allclose(hard.scores, easy.scores, atol=1e-4)
    with pytest.raises(ExportError, match=r"it loses more than 0\.5 points"):
        pipeline.export_tflite(pipeline.QuantizationMode.INT8, tmp_path / "out" / "m.tflite", hard)
    assert not (tmp_path / "out").exists()  # a failed export leaves no folder either


def test_mixed_precision_recovers_the_accuracy(hard, tmp_path, capfd):
    out = tmp_path / "mixed.tflite"

    def say(line):  # as the command prints it
        print(line, file=sys.stderr, flush=True)

    export = pipeline.export_tflite(
        pipeline.QuantizationMode.INT8, out, hard, max_drop=0.001, mixed=True, say=say
    )
    said = capfd.readouterr().err
    assert export.comparison.top1_drop <= 0.001
    assert "block1_conv1" in export.float_layers
    assert len(export.float_layers) <= 3  # of 8
    assert export.findings == []
    assert f"kept in float: {', '.join(export.float_layers)}; price: " in said
    assert " us an image" in said
    card = read_metadata(out).card
    assert card["float_layers"] == list(export.float_layers)
    assert card["io"]["input"]["dtype"] == "float32"
    [finding] = lint(out, io="float32", integer=True)
    assert "in float inside an integer graph" in finding


@pytest.mark.slow
def test_all_layers_may_have_to_stay_in_float(hard):
    kept = keep_fewest_in_float(hard, -2.0, say=print)  # no graph gains 2
    assert len(kept.float_layers) == 8
    assert kept.graph == convert.to_float32(hard.model)


def test_no_layer_is_kept_if_plain_int8_is_good_enough(easy, tmp_path):
    kept = keep_fewest_in_float(easy, 0.005, say=print)
    assert kept.float_layers == ()
    said = []
    export = pipeline.export_tflite(
        pipeline.QuantizationMode.INT8, tmp_path / "m.tflite", easy, mixed=True, say=said.append
    )
    assert said == ["plain int8 is within --max-drop; no layer is kept in float"]
    assert (export.float_layers, export.findings) == ((), [])
    card = read_metadata(export.path).card
    assert card["io"]["input"]["dtype"] == "float32"  # as if layers were kept in float
