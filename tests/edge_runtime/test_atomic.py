"""Files that are there whole or not at all."""

import pytest

from edge_runtime.atomic import replacing


def test_errors_of_writing_name_the_file(tmp_path):
    path = tmp_path / "file.txt"
    full_disk = OSError(28, "No space left on device")
    with pytest.raises(OSError, match=r"device: '.*file\.txt'"), replacing(path):
        raise full_disk
    path.mkdir()
    with pytest.raises(IsADirectoryError, match=r"directory: '.*file\.txt'$"), replacing(path):
        pass


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), replacing(path) as temporary:
        temporary.write_text("half of the n")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]
