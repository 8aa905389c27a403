"""Running a graph in TensorFlow Lite Micro, and comparing it with the runtime."""

import numpy as np
import pytest

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference.opening import open_engine
from edge_runtime.tflite.metadata import detached
from export.micro.agreement import agree, open_interpreter
from tests.conftest import GOLDEN

runtime = pytest.importorskip("tflite_micro").runtime
TINY = GOLDEN / "int8.tflite"
INPUTS = list(np.random.default_rng(0).integers(-128, 128, (10, 1, 4, 4, 3), np.int8))


def test_a_graph_that_fails_is_one_sentence(monkeypatch):
    class Fails:
        def get_input_details(self, number):
            return {"shape": (1, 2, 2, 3), "dtype": "uint8"}

        def set_input(self, image, number):
            pass

        def invoke(self):
            raise RuntimeError("Interpreter invocation failed.")

    monkeypatch.setattr(runtime.Interpreter, "from_bytes", lambda graph: Fails())
    with pytest.raises(EdgeRuntimeError, match=r"does not run on .*invocation failed"):
        open_interpreter(detached(TINY.read_bytes()), TINY)


def test_differences_are_counted_in_scores():
    engine = open_engine(TINY, delegate="cpu")
    outputs = np.stack([engine.run(image).reshape(-1) for image in INPUTS])
    same = agree("cpu", TINY, INPUTS, outputs)
    assert (same.images, same.top1, same.equal, same.max_difference) == (10, 1, 1, 0)
    shifted = outputs.astype(np.int16)
    shifted[0] -= 3 * np.arange(len(shifted[0]))
    other = agree("cpu", TINY, INPUTS, shifted)
    assert other.equal == 0.9
    assert other.max_difference == pytest.approx(6 * engine.output.quantization.scale)
