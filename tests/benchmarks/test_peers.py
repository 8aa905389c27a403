"""The same weights in other runtimes give equal results, or a reason why not."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from benchmarks import networks, peers
from benchmarks.contenders import Contender, Missing, contenders_of, model_files, with_unique_names
from export import committed
from train.architectures import resnet18, simple_cnn

IMAGES = committed.read().held_out.images[::5]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="module")
def cnn():
    from dataclasses import replace

    [network] = networks.trained(
        contenders_of(model_files(["cnn-float32", "cnn-int8"]), ["xnnpack"], [1])
    )
    return replace(network, calibration=network.calibration[:60])  # enough here, and faster


@pytest.fixture(scope="module")
def expected(cnn):
    return cnn.model().predict_on_batch(IMAGES.astype(np.float32) / 255)


def of_peer(cnn, folder, name, **options):
    found = peers.contenders(cnn, folder, names=[name], **options)
    return {c.subject.precision: c for c in found}


def scores(contender):
    runner = contender.open()
    return np.stack([runner.scores(image) for image in IMAGES])


@pytest.mark.parametrize("architecture", [{}, {"stem": "imagenet"}, None])
def test_onnx_gives_keras_s_scores(architecture):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from benchmarks.peers.onnx_graph import to_onnx

    keras.utils.set_random_seed(0)
    model = simple_cnn() if architecture is None else resnet18(**architecture)
    rng = np.random.default_rng(0)
    for weight in model.weights:  # otherwise folding would change nothing
        if weight.path.split("/")[-1] in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 2, weight.shape))
        elif weight.path.split("/")[-1] in ("beta", "moving_mean", "bias"):
            weight.assign(rng.normal(0, 0.3, weight.shape))
    images = rng.random((3, 32, 32, 3), np.float32)
    session = onnxruntime.InferenceSession(to_onnx(model).SerializeToString())
    [actual] = session.run(None, {"image": images.transpose(0, 3, 1, 2)})
    expected = model.predict_on_batch(images)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(actual, expected, atol=1e-4)


@pytest.mark.parametrize(
    "layer", [keras.layers.LayerNormalization(), keras.layers.Conv2D(2, 3, 2, padding="same")]
)
def test_a_layer_that_the_onnx_conversion_does_not_support_is_refused(layer):
    pytest.importorskip("onnx")
    from benchmarks.peers.onnx_graph import to_onnx

    inputs = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match=rf"does not support .*{layer.name}"):
        to_onnx(keras.Model(inputs, layer(inputs)))


@pytest.mark.parametrize(
    ("name", "package"),
    [("litert", "ai_edge_litert"), ("onnx_runtime", "onnxruntime"), ("open_vino", "nncf")],
)
def test_peers_give_the_scores_of_the_network(cnn, expected, folder, name, package):
    pytest.importorskip(package)
    found = of_peer(cnn, folder, name)
    np.testing.assert_allclose(scores(found["float32"]), expected, atol=1e-4)
    int8 = scores(found["int8"])
    assert np.mean(int8.argmax(axis=1) == expected.argmax(axis=1)) >= 0.97
    assert np.abs(int8 - expected).max() > 1e-3  # the precision does differ
    assert found["int8"].size_bytes < found["float32"].size_bytes / 3
    for missing in (one for one in found.values() if isinstance(one, Missing)):
        assert missing.reason == "this CPU has no bfloat16 instructions"


@pytest.mark.parametrize(
    ("name", "package"),
    [("litert", "ai_edge_litert"), ("onnx_runtime", "onnxruntime"), ("open_vino", "openvino")],
)
def test_a_batch_gives_equally_many_results(cnn, expected, folder, name, package):
    pytest.importorskip(package)
    batches = of_peer(cnn, folder, name, batches=[3], threads=[2])
    contender = batches["float32"]
    assert contender.subject.name.endswith("2 threads, batch 3")
    assert contender.open_single().ready(IMAGES[0]).shape[0] == 1
    runner = contender.open()
    outputs = runner.run(runner.ready(IMAGES[0]))
    np.testing.assert_allclose(outputs, np.repeat(expected[:1], 3, axis=0), atol=1e-4)


def test_the_hash_of_openvino_s_rows_includes_the_weights(cnn, folder):
    pytest.importorskip("nncf")
    before = of_peer(cnn, folder, "open_vino")["float32"]
    weights = before.path.with_suffix(".bin")
    kept = weights.read_bytes()
    try:
        weights.write_bytes(bytes([kept[0] ^ 1]) + kept[1:])
        assert of_peer(cnn, folder, "open_vino")["float32"].sha256 != before.sha256
    finally:
        weights.write_bytes(kept)
    assert of_peer(cnn, folder, "open_vino")["float32"].sha256 == before.sha256


def test_openvino_s_telemetry_is_not_imported():
    pytest.importorskip("nncf")
    code = (
        "import sys; import benchmarks.peers.open_vino; assert 'nncf' in sys.modules; "
        "sys.exit(any(name.startswith('openvino_telemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_missing_extra_says_what_to_install(cnn, folder, monkeypatch):
    monkeypatch.setattr(peers, "find_spec", lambda package: None)
    found = list(peers.contenders(cnn, folder))
    reasons = {one.subject.runtime: one.reason for one in found if isinstance(one, Missing)}
    assert reasons == {
        "ONNX Runtime": "onnx, onnxruntime not found; install with: pip install -e '.[peers]'",
        "OpenVINO": "onnx, openvino, nncf not found; install with: pip install -e '.[peers]'",
    }
    assert {one.subject.runtime for one in found if isinstance(one, Contender)} == {"LiteRT"}


def test_a_peer_that_fails_is_missing(cnn, folder, monkeypatch):
    from benchmarks.peers import litert

    def fails(*arguments):
        raise LookupError("no such layer")

    monkeypatch.setattr(litert, "PeerRunner", fails)
    with pytest.raises(RuntimeError, match="LookupError: no such layer"):
        of_peer(cnn, folder, "litert")["int8"].open()
    monkeypatch.setattr(litert, "make", fails)
    [missing] = peers.contenders(cnn, folder, names=["litert"])
    assert missing.reason == "the conversion failed (LookupError: no such layer)"


def test_files_of_another_checkpoint_have_no_peers(monkeypatch):
    files = list(contenders_of(model_files(["cnn-float32", "cnn-int8"]), ["xnnpack"], [1]))
    monkeypatch.setattr(networks.weights, "file_hash", lambda path: "0" * 64)
    [missing] = networks.trained(files)
    assert missing.reason == (
        "not all files of cnn come from cnn-outlier-head.safetensors, which the peers would use"
    )


def test_files_with_the_same_name_get_different_rows(tmp_path):
    shipped = model_files(["cnn-int8"])[0]
    copy, other = tmp_path / "copy.tflite", tmp_path / "other.tflite"
    copy.write_bytes(shipped.read_bytes())
    other.write_bytes(shipped.read_bytes() + b"0")
    found = with_unique_names(contenders_of([shipped, copy, other], ["xnnpack", "cpu"], [1]))
    precisions = [one.subject.precision for one in found]
    assert precisions == [*["int8"] * 4, *[f"int8 ({other})"] * 2]
