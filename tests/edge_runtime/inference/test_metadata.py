import io
import json
import struct
import zipfile

import pytest

from edge_runtime.errors import ModelError
from edge_runtime.inference import metadata
from edge_runtime.inference.metadata import (
    CARD_FILE,
    LABELS_FILE,
    Metadata,
    attached_files,
    label_lines,
    read_metadata,
)
from export.metadata import attach, describe
from tests.conftest import GOLDEN

GRAPH = b"\x1c\0\0\0TFL3" + bytes(200)
CARD = {
    "network": "tiny",
    "precision": "float32",
    "classes": ["chat", "œuf"],
    "preprocessing": {"fit": "stretch", "mean": [1.0, 2.0, 3.0], "std": [4.0]},
    "io": {"input": {"shape": [1, 4, 4, 3]}},
    "version": "1",
    "author": "A",
    "license": "L",
}


def archive(data: bytes, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    stream.write(data)
    with zipfile.ZipFile(stream, "a", compression) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return stream.getvalue()


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


FILES = {"labels.txt": "chat\nœuf\n".encode(), "notes.json": b"{}" * 99, "empty": b""}


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_reads_what_the_standard_library_wrote(compression):
    assert attached_files(archive(GRAPH, FILES, compression)) == FILES


def test_reads_an_archive_that_was_appended_and_one_with_a_comment():
    assert attached_files(GRAPH + archive(b"", FILES)) == FILES
    stream = io.BytesIO(archive(GRAPH, FILES))
    with zipfile.ZipFile(stream, "a") as zipped:
        zipped.comment = b"hello"
    assert attached_files(stream.getvalue()) == FILES


@pytest.mark.parametrize("data", [b"", b"PK", GRAPH, b"no model"])
def test_a_file_that_says_nothing(data, read):
    assert read(data) == Metadata()


def test_labels_keep_their_order(read):
    assert read(archive(GRAPH, {"labels.txt": b"b\na\nc\n"})).labels == ("b", "a", "c")


@pytest.mark.parametrize("text", ["b\na\n", "\ufeffb\r\na\r\n", "b\na\n\n \n", "b\na"])
def test_labels_are_lines_whatever_wrote_them(text, read):
    assert read(archive(GRAPH, {"labels.txt": text.encode()})).labels == ("b", "a")
    assert label_lines("a\u2028b\n\nc\n".encode()) == ("a\u2028b", "", "c")


class Fields:
    """A flatbuffer's table by its field numbers."""

    def __init__(self, **fields):
        self._fields = {int(name[1:]): value for name, value in fields.items()}

    def tables(self, number):
        return self._fields.get(number, [])

    def bytes(self, number):
        return self._fields.get(number, b"")

    def byte(self, number):
        return self._fields.get(number, 0)


def test_translated_labels_are_not_the_labels(monkeypatch):
    german = Fields(_0=b"de.txt", _2=2, _3=b"de")
    plain = Fields(_0=b"en.txt", _2=2)
    subgraph = Fields(_3=[Fields(_6=[german, plain])])
    monkeypatch.setattr(metadata, "_model_metadata", lambda data: [subgraph])
    files = {"de.txt": b"rot\n", "en.txt": b"red\n"}
    assert metadata._from_flatbuffer(b"", files).labels == ("red",)
    del files["en.txt"]
    assert metadata._from_flatbuffer(b"", files).labels == ("rot",)


def test_the_card_is_read(described, read):
    found = read(described)
    assert found.labels == ("chat", "œuf")
    assert (found.mean, found.std) == ((1, 2, 3), (4,))
    assert found.fit == "stretch"
    assert found.card == CARD


def test_without_a_card_the_flatbuffer_is_read(described, read):
    """As in models that others made: the labels' file may have any name, and be deflated."""
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
def test_a_card_that_makes_no_sense_is_refused(change, read):
    card = CARD | {"preprocessing": CARD["preprocessing"] | change}
    with pytest.raises(ModelError, match=r"metadata of .*m\.tflite is damaged .*export the model"):
        read(attach(GRAPH, {CARD_FILE: json.dumps(card).encode()}))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff", b'"text"'])
def test_a_card_that_is_no_card_is_refused(content, read):
    with pytest.raises(ModelError, match="metadata"):
        read(attach(GRAPH, {CARD_FILE: content}))


def test_an_archive_that_would_fill_the_memory_is_refused():
    bomb = archive(GRAPH, {f"{i}": bytes(1 << 24) for i in range(5)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match="at most 67,108,864 bytes"):
        attached_files(bomb)


def test_damaged_files_raise_and_nothing_else(described, read):
    """Bytes inverted in the archive, and in the graph where a flatbuffer is read; files cut."""
    without_card = attach(described[: described.index(b"PK\3\4")], {LABELS_FILE: b"a\nb\n"})
    refused = 0
    for whole in (described, without_card):
        for position in range(0, len(whole), 3):
            damaged = bytearray(whole)
            damaged[position] ^= 0xFF
            try:
                assert isinstance(read(bytes(damaged)), Metadata)
            except ModelError:
                refused += 1
        for length in range(0, len(whole), 21):
            try:
                assert isinstance(read(whole[:length]), Metadata)
            except ModelError:
                refused += 1
    assert refused > 300


def test_a_cut_record_is_an_error():
    whole = archive(GRAPH, {"labels.txt": b"a\nb\n"})
    end = whole.rindex(b"PK\5\6")
    with pytest.raises((ValueError, struct.error)):
        attached_files(whole[:end] + whole[end:].replace(b"\1\0\1\0", b"\2\0\2\0"))
