"""What is written into a model file. That other programs read it is in tests/test_clients.py."""

import json

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.inference.attachments import attached_files
from edge_runtime.inference.metadata import CARD_FILE
from edge_runtime.tflite.metadata import attach, describe, detached
from tests.export.test_card import GRAPH, card


def test_the_same_card_gives_the_same_bytes():
    assert describe(GRAPH, card()) == describe(GRAPH, card())
    assert describe(GRAPH, card()) != describe(GRAPH, card(network="other"))


def test_the_card_and_the_labels_are_inside():
    files = attached_files(describe(GRAPH, card()))
    assert json.loads(files[CARD_FILE]) == card()
    assert files["labels.txt"] == b"red\ngreen\nblue\n"


def test_the_graph_gives_the_same_scores():
    image = np.random.default_rng(0).random((1, 4, 4, 3), np.float32)
    scores = []
    for model in (GRAPH, describe(GRAPH, card())):
        interpreter = Interpreter(model_content=model)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
        interpreter.invoke()
        scores.append(interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    np.testing.assert_array_equal(*scores)


def test_buffers_are_aligned_to_16_bytes():
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


def test_detached_is_the_opposite_of_attach():
    assert detached(attach(GRAPH, {"a": b"1"})) == GRAPH
    assert detached(GRAPH) == GRAPH
