"""What is found in folders: images of every suffix, without what systems keep there."""

import os
from pathlib import Path

import pytest

from edge_runtime.inference import shipped
from edge_runtime.inputs.decode import SUFFIXES
from edge_runtime.inputs.folders import is_housekeeping
from edge_runtime.inputs.listing import LeftOut, expand
from tests.conftest import run
from tests.edge_runtime.inputs.images import variants

SHIP = shipped.samples()["ship"]


def names(*given, left_out=None):
    sources = expand(given, left_out) if left_out else expand(given)
    return [source.name if source.error is None else str(source.error) for source in sources]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*paths):
    for path in map(Path, paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_every_format_is_found_by_its_suffix():
    assert {suffix for suffix, _ in variants().values()} <= SUFFIXES
    assert {".jfif", ".jpe", ".j2k", ".pnm", ".pbm", ".pgm", ".apng", ".psd"} <= SUFFIXES


def test_suffixes_in_capitals_are_found(here):
    make("A.JFIF", "b.Avif", "c.txt")
    assert names(".") == ["A.JFIF", "b.Avif"]


@pytest.mark.parametrize(
    "path",
    [
        *("._a.jpg", ".DS_Store", "Thumbs.db", "desktop.ini", "sub/._b.png", "__MACOSX/._a.jpg"),
        *("@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "#recycle/old.jpg", ".@__thumb/s100a.jpg"),
        *("$RECYCLE.BIN/$R1.jpg", "System Volume Information/x.png", ".Trashes/501/x.jpg"),
    ],
)
def test_housekeeping_is_ignored_without_a_word(here, path):
    make("a.jpg", path)
    left_out = LeftOut()
    assert names(".", left_out=left_out) == ["a.jpg"]
    assert names("**/*.jpg") == ["a.jpg"]
    assert left_out.files == 0


def test_housekeeping_that_is_named_is_tried(here):
    make("._a.jpg", "@eaDir/b.jpg")
    assert names("._a.jpg", "@eaDir", "._*") == ["._a.jpg", "@eaDir/b.jpg", "._a.jpg"]


@pytest.mark.parametrize("name", ["a.jpg", ".a.jpg", "_a.jpg", "thumbs.png", "recycle", "@home"])
def test_names_of_users_are_no_housekeeping(name):
    assert not is_housekeeping(name)


def test_photographs_in_heic_are_counted(here):
    for name in ("a.HEIC", "b.heif", "c.txt"):
        (here / name).touch()
    left_out = LeftOut()
    names(".", left_out=left_out)
    assert str(left_out).endswith("2 of them are HEIC, which is not read: save them as JPEG.")


def test_what_is_left_out_is_counted(here):
    make("a.jpg", "b.txt", "sub/c.mov", "sub/d", "Thumbs.db")
    left_out = LeftOut()
    assert names(".", left_out=left_out) == ["a.jpg"]
    assert (left_out.files, left_out.videos) == (3, 1)
    assert str(left_out) == (
        "Left out 3 files in folders without an image's suffix (1 of them videos); "
        "name one to try it."
    )


def test_the_command_says_how_many_files_were_left_out(here):
    make("a.txt", "b.txt", "Thumbs.db")
    (here / "ship.png").write_bytes(SHIP.read_bytes())
    result = run("edge-classify", ".")
    assert (result.returncode, result.stdout.split(":")[0]) == (0, "ship.png")
    assert result.stderr == (
        "edge-classify: Left out 2 files in folders without an image's suffix; "
        "name one to try it.\n"
    )
    Path("a.txt").unlink()
    Path("b.txt").unlink()
    assert run("edge-classify", ".").stderr == ""


needs_links = pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")


@needs_links
def test_a_linked_folder_elsewhere_comes_once(here):
    make("elsewhere/sub/a.png", "root/b.png")
    Path("root/one").symlink_to("../elsewhere")
    Path("root/two").symlink_to("../elsewhere")
    Path("root/inner").symlink_to("../elsewhere/sub")
    assert names("root") == ["root/b.png", "root/inner/a.png"]
    assert sorted(names("root/**/*.png")) == ["root/b.png", "root/inner/a.png"]


@needs_links
def test_a_link_to_a_folder_above_gives_its_other_files_once(here):
    make("top/a.png", "top/root/b.png")
    Path("top/root/up").symlink_to("..")
    assert names("top/root") == ["top/root/b.png", "top/root/up/a.png"]


@needs_links
def test_a_link_into_a_folder_that_is_not_searched_is_followed(here):
    """Data version control keeps files in hidden folders, and links to them."""
    make("root/.store/ab/a.png", "root/b.png")
    Path("root/data").symlink_to(".store/ab")
    assert names("root/**/*.png") == ["root/b.png", "root/data/a.png"]
    assert names("root") == ["root/.store/ab/a.png", "root/b.png"]
