"""Exporting a network: each quantization, and the files that are not written."""

from dataclasses import replace

import numpy as np
import pytest

from edge_runtime import Classifier
from edge_runtime.errors import OutputError
from edge_runtime.inference import shipped
from edge_runtime.inference.metadata import read_metadata
from export import verify
from export.errors import ExportError
from export.pipeline import QuantizationMode, export_tflite
from tests.edge_runtime.inference.test_engine import assert_the_gpu_agrees

INT8, NONE = QuantizationMode.INT8, QuantizationMode.NONE


@pytest.mark.parametrize(
    ("network", "mode", "agreement", "most_bytes"),
    [
        ("cnn", "float16", 0.998, 1_150_000),
        ("cnn", "dynamic", 0.98, 600_000),
        pytest.param("resnet18", "none", 1, 45_000_000, marks=pytest.mark.slow),
        pytest.param("resnet18", "float16", 0.998, 22_500_000, marks=pytest.mark.slow),
        pytest.param("resnet18", "dynamic", 0.98, 11_500_000, marks=pytest.mark.slow),
    ],
)
def test_other_precisions(shipped_inputs, tmp_path, network, mode, agreement, most_bytes):
    out = tmp_path / "m.tflite"
    mode = QuantizationMode(mode)
    made = export_tflite(mode, out, shipped_inputs(network))
    assert made.findings == []
    assert made.comparison.agreement >= agreement
    assert made.size == out.stat().st_size <= most_bytes
    card = read_metadata(out).card
    assert card["precision"] == mode.precision
    assert card["io"]["input"] == {"shape": [1, 32, 32, 3], "dtype": "float32"}


@pytest.mark.parametrize("io", ["int8", "float32"])
def test_int8_with_other_io(cnn, tmp_path, io):
    """The inside equals that of the shipped model, so the scores are equal."""
    out = tmp_path / "m.tflite"
    made = export_tflite(INT8, out, cnn, io=io)
    assert made.findings == []
    assert read_metadata(out).card["io"]["input"]["dtype"] == io
    images = cnn.held_out.images[:50]
    shipped_scores = verify.file_scores(shipped.models()["cnn-int8"], images)
    np.testing.assert_array_equal(verify.file_scores(out, images), shipped_scores)
    # `auto` accepts XNNPACK although it rounds integers differently, even if scores are float.
    assert "not xnnpack" not in Classifier(out, delegate="auto").reason


@pytest.mark.slow
def test_float16_runs_on_the_gpu(cnn, tmp_path, vulkan):
    out = tmp_path / "cnn-float16.tflite"
    export_tflite(QuantizationMode.FLOAT16, out, cnn)
    assert_the_gpu_agrees(vulkan, out, "fp32", 1e-3)


def test_another_model_is_replaced_only_with_overwrite(cnn, tmp_path):
    out = tmp_path / "cnn.tflite"
    out.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists; add --overwrite to replace it"):
        export_tflite(NONE, out, cnn)
    assert out.read_bytes() == b"precious"
    export_tflite(NONE, out, cnn, overwrite=True)
    assert len(read_metadata(out).labels) == 10


def test_the_checkpoint_is_never_replaced(cnn):
    with pytest.raises(
        OutputError, match=r"would replace .*cnn-outlier-head\.safetensors, which is an input"
    ):
        export_tflite(NONE, cnn.checkpoint, cnn, overwrite=True)


def test_a_file_that_loses_accuracy_is_not_written(cnn, tmp_path):
    """Calibration on nearly black images damages the model, and that must be noticed."""
    dark = replace(cnn.calibration, images=cnn.calibration.images[:20] // 16)
    out = tmp_path / "cnn.tflite"
    with pytest.raises(ExportError, match=r"it loses more than 0\.5 points on the 500"):
        export_tflite(INT8, out, replace(cnn, calibration=dark))
    assert list(tmp_path.iterdir()) == []


def test_one_of_few_images_may_differ(cnn, tmp_path):
    """One of 18 images is more than the limit, but no finding (McNemar p = 1)."""
    labels = cnn.held_out.labels
    with Classifier("cnn-int8") as classifier:
        found = np.array([classifier.classify(image)[0].index for image in cnn.held_out.images])
    right = cnn.scores.argmax(axis=1) == labels
    lost, kept = (
        np.flatnonzero(right & (found != labels)),
        np.flatnonzero(right & (found == labels)),
    )
    chosen = [int(lost[0]), *kept[:17].tolist()]
    few = replace(cnn, held_out=cnn.held_out.take(chosen), scores=cnn.scores[chosen])
    export = export_tflite(INT8, tmp_path / "cnn.tflite", few)
    assert export.comparison.top1_drop > 0.05
    with pytest.raises(ExportError, match=r"loses more than 0 points"):
        export_tflite(INT8, tmp_path / "strict.tflite", few, max_drop=0.0)
