"""The delegate `openvino`, on this CPU and limited to instructions without byte multiply-add."""

import json
import os
import platform
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from edge_runtime import Classifier, DelegateError, ModelError
from edge_runtime.inference import openvino, shipped
from edge_runtime.inference.opening import open_engine
from edge_runtime.inference.openvino import pair_sums
from edge_runtime.inference.placement import WEIGHTED_OPERATIONS, Placement
from tests.conftest import GOLDEN, run
from tests.edge_runtime.inference.model_files import changed, followed_by
from tests.edge_runtime.inference.test_fork import exit_code_of_child

needs_openvino = pytest.mark.skipif(not find_spec("openvino"), reason="needs OpenVINO")
SAMPLES = list(shipped.samples().values())
CAT = shipped.samples()["cat"]
INT8 = shipped.models()["cnn-int8"]


@pytest.fixture
def without_vnni():
    """Return the environment of commands whose OpenVINO has no VNNI."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("needs an x86-64 CPU")
    return {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2"}


def weights_mapped(path, mapping):
    """Return an int8 model file after a change to its weights, given as int64 arrays."""
    from edge_runtime.tflite.graph import operator_name

    def change(graph):
        main = graph.subgraphs[0]
        for step in main.operators:
            if operator_name(graph.operatorCodes[step.opcodeIndex]) in WEIGHTED_OPERATIONS:
                kernel = main.tensors[step.inputs[1]]
                buffer = graph.buffers[kernel.buffer]
                values = buffer.data.view(np.int8).astype(np.int64)
                buffer.data = mapping(values).astype(np.int8).view(np.uint8)

    return changed(path.read_bytes(), change)


@needs_openvino
@pytest.mark.parametrize(("model", "tolerance"), [("cnn-int8", 2 / 256), ("cnn-float32", 1e-5)])
def test_it_agrees_with_xnnpack(model, tolerance):
    ours, theirs = (Classifier(model, delegate=d) for d in ("openvino", "xnnpack"))
    assert ours.placement.delegate == "openvino"
    assert ours.placement.delegated == ours.placement.operations
    for path in SAMPLES:
        np.testing.assert_allclose(ours.scores(path), theirs.scores(path), atol=tolerance)


@needs_openvino
@pytest.mark.parametrize("name", ["uint8", "int8", "int16", "float32", "grey", "logits"])
def test_inputs_and_outputs_are_those_of_the_file(name):
    path = GOLDEN / f"{name}.tflite"
    ours, theirs = (open_engine(path, delegate=d) for d in ("openvino", "cpu"))
    assert (ours.input, ours.output) == (theirs.input, theirs.output)
    noise = np.random.default_rng(0).integers(0, 100, ours.input.shape)
    image = noise.astype(ours.input.dtype)
    one, other = ours.run(image), theirs.run(image)
    assert one.dtype == other.dtype
    quantization = ours.output.quantization
    np.testing.assert_allclose(
        quantization.dequantize(one), quantization.dequantize(other), rtol=1e-3, atol=1 / 256
    )


@needs_openvino
def test_threads_and_batches_are_honoured():
    engine = open_engine(INT8, delegate="openvino", threads=2, batch=3)
    assert engine.placement == Placement("openvino", 2, 33, 33, ())
    compiled = engine._request.get_compiled_model()
    assert compiled.get_property("INFERENCE_NUM_THREADS") == min(2, os.cpu_count())
    assert compiled.get_property("ENABLE_CPU_PINNING") is False
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    alone = open_engine(INT8, delegate="openvino")
    expected = [alone.run(image[np.newaxis]) for image in images]
    np.testing.assert_array_equal(engine.run(images).reshape(3, 10), expected)
    with pytest.raises(ModelError, match="does not take 2 images at once; use a batch of 1"):
        open_engine(GOLDEN / "grey.tflite", delegate="openvino", batch=2)
    with pytest.raises(ModelError, match=r"takes uint8 \(3, 32, 32, 3\), but got float64"):
        engine.run(images / 255)


@needs_openvino
def test_the_commands_name_it():
    line = run("edge-classify", "--json", "--delegate", "openvino", CAT).stdout
    assert json.loads(line)["delegate"] == "openvino"
    assert "openvino: available" in run("edge-classify", "--delegates").stdout
    checked = run("edge-classify", "--check", "cnn-int8", "--delegate", "openvino")
    assert checked.returncode == 0
    assert "cnn-int8 on openvino: right (10 of 10 images as recorded" in checked.stdout
    reason = Classifier(delegate="auto").reason
    assert "openvino " in reason
    assert "not openvino" not in reason


@needs_openvino
def test_processes_share_a_folder():
    with Classifier(delegate="openvino", threads=2) as classifier:
        results = classifier.classify_batch([CAT] * 20)
    assert {result.predictions[0].label for result in results} == {"cat"}


@needs_openvino
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_gets_an_error_instead_of_hanging():
    with Classifier(delegate="openvino") as classifier:
        expected = classifier.scores(CAT)

        def is_refused():
            try:
                classifier.scores(CAT)
            except DelegateError as exc:
                classifier.close()
                return "start the process with spawn" in str(exc)
            return False

        assert exit_code_of_child(is_refused) == 0
        np.testing.assert_array_equal(classifier.scores(CAT), expected)


@needs_openvino
def test_its_telemetry_is_not_imported():
    code = (
        "import sys; from edge_runtime import Classifier; Classifier(delegate='openvino'); "
        "assert 'openvino' in sys.modules; "
        "sys.exit(any(name.startswith('openvino_telemetry') for name in sys.modules))"
    )
    assert run("-c", code).returncode == 0


@needs_openvino
def test_what_it_cannot_take_is_an_error(tmp_path):
    other = tmp_path / "model.bin"
    other.write_bytes(INT8.read_bytes())
    with pytest.raises(DelegateError, match=r"takes only files that end in \.tflite; rename"):
        Classifier(other, delegate="openvino")
    unknown = tmp_path / "unknown.tflite"
    unknown.write_bytes(followed_by((GOLDEN / "float32.tflite").read_bytes(), "RELU_N1_TO_1"))
    with pytest.raises(DelegateError, match=r"cannot run .*unknown\.tflite \(No translator found"):
        Classifier(unknown, delegate="openvino")
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(INT8.read_bytes()[:100_000])
    with pytest.raises(ModelError, match=r"damaged\.tflite is not a valid"):
        Classifier(damaged, delegate="openvino")


def test_without_openvino_it_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(openvino, "_core", openvino._core.__wrapped__)
    with pytest.raises(DelegateError, match=r"pip install 'edge-classify\[openvino\]', or use"):
        open_engine(INT8, delegate="openvino")
    assert "not openvino: OpenVINO is not installed" in Classifier(delegate="auto").reason


@needs_openvino
def test_a_cpu_that_would_saturate_refuses_large_weights(without_vnni, tmp_path):
    large = tmp_path / "large.tflite"
    large.write_bytes(weights_mapped(INT8, lambda weights: np.clip(4 * weights, -127, 127)))
    options = ("--model", large, "--delegate")
    result = run("edge-classify", *options, "openvino", CAT, env=without_vnni)
    assert (result.returncode, result.stdout) == (1, "")
    assert "large.tflite wrongly on this CPU" in result.stderr
    assert "export the model with --weight-bits 7, or use --delegate xnnpack." in result.stderr
    chosen = run("edge-classify", *options, "auto", CAT, env=without_vnni)
    assert chosen.returncode == 0
    assert "not openvino: OpenVINO would compute" in chosen.stderr
    floats = ("--model", "cnn-float32", "--delegate", "openvino")
    assert run("edge-classify", *floats, CAT, env=without_vnni).returncode == 0


@needs_openvino
def test_small_weights_are_computed_correctly_without_vnni(without_vnni, tmp_path):
    """Whatever the labels are: XNNPACK, which does not saturate, must give the same scores."""
    small = tmp_path / "small.tflite"
    small.write_bytes(weights_mapped(INT8, lambda weights: np.clip(weights, -64, 64)))
    options = ("--json", "--top-k", "10", "--accept-all", "--model", small, shipped.SAMPLES)
    ours = run("edge-classify", *options, "--delegate", "openvino", env=without_vnni)
    theirs = run("edge-classify", *options)
    assert (ours.returncode, theirs.returncode) == (0, 0)
    for lines in zip(ours.stdout.splitlines(), theirs.stdout.splitlines(), strict=True):
        found = [json.loads(line)["predictions"] for line in lines]
        scores = [{each["label"]: each["score"] for each in predictions} for predictions in found]
        assert scores[0] == pytest.approx(scores[1], abs=2 / 256)


@pytest.mark.parametrize(
    ("weights", "refused"),
    [
        ([64, 64], False),
        ([127, 1], False),
        ([127, -127], False),
        ([127, 2], True),
        ([-65] * 2, True),
    ],
)
def test_what_fits_into_16_bits(weights, refused):
    kernel = np.array(weights, np.int16)
    assert openvino._can_saturate(iter([np.ones((1, 2)), kernel.reshape(1, 1, 1, 2)])) is refused
    assert (255 * abs(int(pair_sums(kernel[np.newaxis])[0, 0])) > 32767) is refused


@pytest.mark.parametrize(
    ("weights", "sums"),
    [
        ([127, 127], [254]),
        ([127, -127], [127]),
        ([-100, -29], [129]),
        ([1, 2, 3], [3, 3]),
        ([5], [5]),
        ([-1, -2, 3, 4, 0, 0], [3, 7, 0]),
    ],
)
def test_pairs_are_neighbouring_input_channels(weights, sums):
    kernel = np.array(weights, np.int16).reshape(1, 1, 1, -1)
    assert pair_sums(kernel).reshape(-1).tolist() == sums
