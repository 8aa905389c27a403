"""Files that are written whole or not at all."""

import pytest

from edge_runtime.support.files import file_sha256, replacing


def test_errors_of_writing_name_the_file(tmp_path):
    path = tmp_path / "file.txt"
    full_disk = OSError(28, "No space left on device")
    with pytest.raises(OSError, match=r"device: '.*file\.txt'"), replacing(path):
        raise full_disk
    nowhere = tmp_path / "folder" / "file.txt"
    with (
        pytest.raises(FileNotFoundError) as missing,
        replacing(nowhere, parents=False) as temporary,
    ):
        temporary.touch()
    path.mkdir()
    with pytest.raises(IsADirectoryError) as folder, replacing(path) as temporary:
        temporary.touch()
    (tmp_path / "other").touch()
    below = tmp_path / "other" / "file.txt"
    with pytest.raises(NotADirectoryError) as blocked, replacing(below, parents=False) as temporary:
        temporary.touch()
    assert blocked.value.filename == str(below)
    assert [missing.value.filename, folder.value.filename] == [str(nowhere), str(path)]
    assert {*tmp_path.iterdir()} == {path, tmp_path / "other"}


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


def test_the_sha256_of_a_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"abc")  # the example of FIPS 180-4
    assert file_sha256(path).startswith("ba7816bf8f01cfea414140de5dae2223")
    with pytest.raises(OSError, match="nothing"):
        file_sha256(tmp_path / "nothing")
