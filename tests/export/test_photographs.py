"""The committed photographs and their crops, and the command that makes them."""

import json
import shutil

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from export import make_photographs, photographs
from export.errors import CalibrationError
from train.dataset import pixel_hash


def test_crops_show_the_photographs_at_several_scales():
    crops = photographs.read(64)
    assert crops.calibrating.shape[1:] == crops.judging.shape[1:] == (64, 64, 3)
    assert 60 <= len(crops.calibrating) <= 150
    assert crops.judges == 2
    assert crops.hashes[3] == pixel_hash(crops.calibrating[3])
    assert len(set(crops.hashes)) == len(crops.calibrating)


def test_no_photograph_calibrates_and_judges():
    entries = json.loads((photographs.FOLDER / photographs.MANIFEST).read_text())
    assert [name for name, entry in entries.items() if entry["judges"]] == [
        "camera.jpg",
        "chelsea.jpg",
    ]
    hashes = [entry["sha256"] for entry in entries.values()]
    assert len(set(hashes)) == len(hashes)
    assert {path.name for path in photographs.files()} == {*entries, photographs.MANIFEST}
    assert sum(path.stat().st_size for path in photographs.files()) < 700_000


def test_changed_pixels_and_missing_files_are_noticed(tmp_path):
    folder = shutil.copytree(photographs.FOLDER, tmp_path / "photographs")
    shutil.copy(folder / "rocket.jpg", folder / "coffee.jpg")
    with pytest.raises(CalibrationError, match=r"coffee\.jpg does not hold"):
        photographs.read(32, folder)
    (folder / "coffee.jpg").unlink()
    with pytest.raises(CalibrationError, match="restore them with git"):
        photographs.read(32, folder)


@pytest.fixture
def source(tmp_path):
    """A folder with images named as scikit-image's."""
    folder = tmp_path / "source"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in make_photographs.PHOTOGRAPHS:
        pixels = rng.integers(0, 256, (60, 800, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def test_written_photographs_are_read_again(source, tmp_path):
    folder = tmp_path / "new"
    make_photographs.write(source, folder)
    assert len(photographs.read(32, folder).judging) > 0
    for path in photographs.files(folder)[:-1]:
        with Image.open(path) as file:
            assert file.size == (512, 38)


def test_the_command_replaces_nothing_unless_asked_and_names_what_is_missing(source):
    app = typer.Typer()
    app.command()(make_photographs.main)
    before = {path: path.read_bytes() for path in photographs.files()}
    result = CliRunner().invoke(app, [str(source)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "add --overwrite" in result.stderr
    (source / "coffee.png").unlink()
    result = CliRunner().invoke(app, [str(source), "--overwrite"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "coffee.png" in result.stderr
    assert before == {path: path.read_bytes() for path in photographs.files()}
