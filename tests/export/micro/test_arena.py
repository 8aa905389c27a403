"""The search for the smallest arena."""

import pytest

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.tflite.metadata import detached
from export.micro import arena
from export.micro.c_source import ALIGNMENT_BYTES
from tests.conftest import GOLDEN

pytest.importorskip("tflite_micro")
TINY = GOLDEN / "uint8.tflite"


def test_a_tiny_graph_needs_more_while_loading_than_it_keeps():
    graph = detached(TINY.read_bytes())
    smallest = arena.smallest_arena(graph, TINY)
    assert arena.runs(graph, smallest)
    assert not arena.runs(graph, smallest - ALIGNMENT_BYTES)


def test_the_search_ends_with_one_sentence_if_no_arena_is_enough(monkeypatch):
    monkeypatch.setattr(arena, "runs", lambda graph, arena_bytes: False)
    with pytest.raises(EdgeRuntimeError, match=r"uint8\.tflite runs .* no arena of up to 1024 MiB"):
        arena.smallest_arena(detached(TINY.read_bytes()), TINY)
