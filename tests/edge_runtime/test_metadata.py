import contextlib
import io
import struct
import zipfile

import pytest

from edge_runtime.errors import ModelError
from edge_runtime.metadata import attached_files, read_labels

GRAPH = b"\x1c\0\0\0TFL3" + bytes(200)


def archive(data: bytes, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    stream.write(data)
    with zipfile.ZipFile(stream, "a", compression) as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return stream.getvalue()


def test_reads_what_the_standard_library_wrote():
    files = {"labels.txt": "chat\nœuf\n".encode(), "card.json": b"{}", "empty": b""}
    assert attached_files(archive(GRAPH, files)) == files


@pytest.mark.parametrize("data", [b"", b"PK", GRAPH])
def test_a_bare_model_has_no_files(data):
    assert attached_files(data) == {}


def test_labels_keep_their_order(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(archive(GRAPH, {"labels.txt": b"b\na\nc\n"}))
    assert read_labels(path) == ("b", "a", "c")


def test_deflated_files_are_refused(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(archive(GRAPH, {"labels.txt": b"a\n" * 99}, zipfile.ZIP_DEFLATED))
    with pytest.raises(ModelError, match=r"m\.tflite are damaged .*stored"):
        read_labels(path)


def test_damaged_archives_raise_and_nothing_else():
    whole = archive(GRAPH, {"labels.txt": b"a\nb\n"})
    for position in range(len(GRAPH), len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        with contextlib.suppress(ValueError, struct.error):
            attached_files(bytes(damaged))
