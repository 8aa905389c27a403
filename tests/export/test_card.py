"""The model card: what it says, and what it does not depend on."""

from importlib.metadata import version

from edge_runtime.tflite.metadata import describe
from export.card import model_card
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


def test_it_describes_the_graph_s_input():
    assert card()["io"]["input"] == {"shape": [1, 4, 4, 3], "dtype": "float32"}
    quantized = card(graph=(GOLDEN / "uint8.tflite").read_bytes())["io"]["input"]
    assert quantized.items() >= {"dtype": "uint8", "zero_point": 0}.items()
    assert abs(quantized["scale"] - 1 / 255) < 1e-9


def test_it_says_where_the_weights_come_from_and_no_more():
    assert card()["training"] == {"recipe": "none", "epochs": 1, "test_top1": 0.5}
    assert card(training={})["training"] == {}


def test_authors_and_licence_are_named_for_our_weights_only():
    assert card()["license"] == "Apache-2.0"
    assert not {"author", "license"} & card(ours=False).keys()


def test_a_release_changes_no_model_s_bytes(monkeypatch):
    """A card carries its schema's version, and those of the tools, but not the package's."""
    assert card()["schema_version"] == 1
    assert card()["tools"] == {"numpy": version("numpy")}
    before = describe(GRAPH, card())

    def next_release(name):
        return "99.0" if name == "edge-classify" else version(name)

    monkeypatch.setattr("export.card.version", next_release)
    assert describe(GRAPH, card()) == before
