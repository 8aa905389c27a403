import json
import zipfile

import pytest

from edge_runtime.inference.metadata import (
    CARD_FILE,
    LABELS_FILE,
    Metadata,
    label_lines,
    matching,
    read_metadata,
)
from edge_runtime.tflite.metadata import attach, describe
from tests.conftest import GOLDEN
from tests.edge_runtime.inference.model_files import CARD, GRAPH, archive, flatbuffer

FOREIGN_CARD = "its model-card.json has another layout, and is ignored"


@pytest.fixture(scope="module")
def described():
    return describe((GOLDEN / "unlabelled.tflite").read_bytes(), CARD)


@pytest.fixture
def read(tmp_path):
    def of(data: bytes) -> Metadata:
        path = tmp_path / "m.tflite"
        path.write_bytes(data)
        return read_metadata(path)

    return of


@pytest.mark.parametrize("data", [b"", b"PK", GRAPH, b"no model"])
def test_a_file_without_metadata(data, read):
    assert read(data) == Metadata()


def test_labels_keep_their_order(read):
    assert read(archive(GRAPH, {"labels.txt": b"b\na\nc\n"})).labels == ("b", "a", "c")


@pytest.mark.parametrize("text", ["b\na\n", "\ufeffb\r\na\r\n", "b\na\n\n \n", "b\na"])
def test_labels_are_lines_of_any_kind(text, read):
    assert read(archive(GRAPH, {"labels.txt": text.encode()})).labels == ("b", "a")
    assert label_lines("a\u2028b\n\nc\n".encode()) == ("a\u2028b", "", "c")


def test_files_with_a_locale_are_translations_and_come_last(read):
    german = {0: "de.txt", 2: 2, 3: "de"}
    plain = {0: "en.txt", 2: 2}
    graph = flatbuffer(
        {
            4: [{0: flatbuffer({3: [{3: [{6: [german, plain]}]}]})}],
            6: [{0: "TFLITE_METADATA"}],
        },
        b"TFL3",
    )
    files = {"de.txt": b"rot\n", "en.txt": b"red\n"}
    assert read(archive(graph, files)).labels == ("red",)
    del files["en.txt"]
    assert read(archive(graph, files)).labels == ("rot",)


def test_the_card_is_read(described, read):
    found = read(described)
    assert found.labels == ("chat", "œuf")
    assert (found.mean, found.std) == ((1, 2, 3), (4,))
    assert found.fit == "stretch"
    assert found.card == CARD


def test_without_a_card_the_flatbuffer_is_read(described, read):
    """Other people's models may name the file of labels as they like, and deflate it."""
    graph = described[: described.index(b"PK\3\4")]
    graph = graph.replace(b"labels.txt", b"etiketten!")
    files = {"other.txt": b"x\n", "etiketten!": b"Katze\nEi\n"}
    found = read(archive(graph, files, zipfile.ZIP_DEFLATED))
    assert found == Metadata(labels=("Katze", "Ei"), mean=(1, 2, 3), std=(4,))
    assert read(graph) == Metadata(mean=(1, 2, 3), std=(4,))


@pytest.mark.parametrize(
    "change",
    [
        {"fit": "tile"},
        {"std": [0]},
        {"mean": []},
        {"mean": None},
        {"std": ["a"]},
        {"mean": [1e999]},
    ],
)
def test_a_card_with_impossible_values_is_left_out(change, read):
    card = CARD | {"preprocessing": CARD["preprocessing"] | change}
    files = {CARD_FILE: json.dumps(card).encode(), LABELS_FILE: b"a\nb\n"}
    assert read(attach(GRAPH, files)) == Metadata(labels=("a", "b"), warnings=(FOREIGN_CARD,))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"{}", b"[" * 100_000, b"\xff", b'"text"', b'{"name": "x"}'),
        b'{"preprocessing": "see the paper"}',
        b"---\nlicense: mit\n---\n",
    ],
)
def test_a_card_of_another_tool_is_left_out(content, read):
    found = read(attach(GRAPH, {CARD_FILE: content, LABELS_FILE: b"a\nb\n"}))
    assert found == Metadata(labels=("a", "b"), warnings=(FOREIGN_CARD,))


def test_beside_a_card_of_another_tool_the_flatbuffer_is_read(described, read):
    graph = described[: described.index(b"PK\3\4")]
    found = read(archive(graph, {CARD_FILE: b"[]", LABELS_FILE: b"a\nb\n"}))
    assert found == Metadata(labels=("a", "b"), mean=(1, 2, 3), std=(4,), warnings=(FOREIGN_CARD,))


def test_labels_that_are_not_utf_8_are_left_out(read):
    found = read(archive(GRAPH, {LABELS_FILE: "œuf".encode("utf-16")}))
    assert found == Metadata(warnings=("its labels are not UTF-8, and are ignored",))


def test_a_file_with_an_odd_name_does_not_hide_the_others(read):
    data = archive(GRAPH, {"lies-mich.txt": b"x", LABELS_FILE: b"a\nb\n"})
    assert read(data.replace(b"lies-mich.txt", b"lies-m\x84ch.txt")).labels == ("a", "b")


def test_what_cannot_belong_to_the_graph_is_left_out():
    given = Metadata(labels=("a", "b"), mean=(1.0, 2.0, 3.0), std=(4.0,), fit="pad")
    assert matching(given, channels=3, classes=2) == given
    assert matching(Metadata(), channels=1, classes=5) == Metadata()
    found = matching(given, channels=1, classes=1001)
    assert found == Metadata(
        fit="pad",
        warnings=(
            "it carries 2 labels for 1,001 classes; ignored",
            "its mean and std are not for 1 channels; ignored",
        ),
    )


def test_damaged_files_raise_nothing(described, read):
    """Bytes are inverted and ends cut off, in a file with a card and in one without."""
    without_card = attach(described[: described.index(b"PK\3\4")], {LABELS_FILE: b"a\nb\n"})
    warned = 0
    for whole in (described, without_card):
        for position in range(0, len(whole), 3):
            damaged = bytearray(whole)
            damaged[position] ^= 0xFF
            warned += bool(read(bytes(damaged)).warnings)
        for length in range(0, len(whole), 21):
            warned += bool(read(whole[:length]).warnings)
    assert warned > 300
