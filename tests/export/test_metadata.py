"""What is written into a model; that other programs read it is in tests/test_clients.py."""

import json

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.inference.attachments import attached_files
from edge_runtime.inference.metadata import CARD_FILE
from export.card import model_card
from export.metadata import attach, describe
from tests.conftest import GOLDEN

GRAPH = (GOLDEN / "unlabelled.tflite").read_bytes()


def card(graph=GRAPH, **changes):
    options = {
        "network": "tiny",
        "precision": "float32",
        "classes": ["red", "green", "blue"],
        "parameters": 0,
        "checkpoint_sha256": "0" * 64,
        "training": {"recipe_name": "none", "epochs": 1, "test_top1": 0.5, "secret": "x"},
        "calibration": None,
        "tools": ["numpy"],
        "ours": True,
    }
    return model_card(graph, **options | changes)


def test_the_same_card_gives_the_same_bytes():
    assert describe(GRAPH, card()) == describe(GRAPH, card())
    assert describe(GRAPH, card()) != describe(GRAPH, card(network="other"))


def test_the_card_is_inside_and_says_what_the_graph_takes():
    files = attached_files(describe(GRAPH, card()))
    assert json.loads(files[CARD_FILE]) == card()
    assert files["labels.txt"] == b"red\ngreen\nblue\n"
    assert card()["io"]["input"] == {"shape": [1, 4, 4, 3], "dtype": "float32"}
    quantized = card(graph=(GOLDEN / "uint8.tflite").read_bytes())["io"]["input"]
    assert quantized.items() >= {"dtype": "uint8", "zero_point": 0}.items()
    assert abs(quantized["scale"] - 1 / 255) < 1e-9


def test_the_card_says_where_the_weights_come_from_and_no_more():
    assert card()["training"] == {"recipe": "none", "epochs": 1, "test_top1": 0.5}
    assert card(training={})["training"] == {}


def test_the_graph_computes_the_same():
    image = np.random.default_rng(0).random((1, 4, 4, 3), np.float32)
    scores = []
    for model in (GRAPH, describe(GRAPH, card())):
        interpreter = Interpreter(model_content=model)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
        scores.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    np.testing.assert_array_equal(*scores)


def test_buffers_are_aligned_as_the_schema_asks():
    data = describe(GRAPH, card())
    model = schema.Model.GetRootAs(data)
    start = np.frombuffer(data, np.uint8).__array_interface__["data"][0]
    offsets = []
    for i in range(model.BuffersLength()):
        buffer = model.Buffers(i)
        if buffer.DataLength():
            offsets.append(buffer.DataAsNumpy().__array_interface__["data"][0] - start)
    assert len(offsets) > 2
    assert [offset % 16 for offset in offsets] == [0] * len(offsets)


def test_attached_files_leave_the_graph_alone():
    both = attach(GRAPH, {"b": b"2", "a": b"1"})
    assert both.startswith(GRAPH)
    assert both == attach(GRAPH, {"a": b"1", "b": b"2"})
