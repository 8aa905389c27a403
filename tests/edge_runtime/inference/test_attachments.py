import io
import struct
import zipfile

import pytest

from edge_runtime.inference.attachments import attached_files
from tests.edge_runtime.inference.model_files import GRAPH, archive

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


def test_an_archive_that_would_fill_the_memory_is_rejected():
    bomb = archive(GRAPH, {f"{i}": bytes(1 << 24) for i in range(5)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    with pytest.raises(ValueError, match="at most 67,108,864 bytes"):
        attached_files(bomb)


def test_a_cut_record_is_an_error():
    whole = archive(GRAPH, {"labels.txt": b"a\nb\n"})
    end = whole.rindex(b"PK\5\6")
    with pytest.raises((ValueError, struct.error)):
        attached_files(whole[:end] + whole[end:].replace(b"\1\0\1\0", b"\2\0\2\0"))
