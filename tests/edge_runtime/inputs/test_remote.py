import shutil
from pathlib import Path

import pytest

from edge_runtime.errors import ImageError
from edge_runtime.inference import shipped
from edge_runtime.inputs.names import Source

pytest.importorskip("pyarrow")
from edge_runtime.inputs import remote

SAMPLES = sorted(map(str, shipped.samples().values()))


def test_folders_of_a_file_system_are_listed_and_fetched(tmp_path):
    """file:// stands for s3:// here, because both take the same path through pyarrow."""
    for name in ("b.png", "a/deep %.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(SAMPLES[0], tmp_path / name)
    sources = list(remote.listed([tmp_path.as_uri(), SAMPLES[1]]))
    assert [source.name for source in sources] == [
        f"{tmp_path.as_uri()}/b.png",
        f"{tmp_path.as_uri()}/a/deep%20%25.png",
        SAMPLES[1],
    ]
    fetched = list(remote.fetched([*sources, Source(f"{tmp_path.as_uri()}/none.png")]))
    expected = Path(SAMPLES[0]).read_bytes()
    assert [source.content for source in fetched] == [expected, expected, None, None]
    assert [str(source.error) for source in fetched if source.error] == [
        f"There is no file {tmp_path.as_uri()}/none.png; check the name."
    ]


def test_a_file_system_that_cannot_be_searched_is_an_error_row():
    [source] = remote.listed(["nosuch://bucket/folder"])
    assert isinstance(source.error, ImageError)
    assert "nosuch://bucket/folder cannot be searched" in str(source.error)
