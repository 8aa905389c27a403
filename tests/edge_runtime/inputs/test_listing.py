import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.inference import shipped
from edge_runtime.inputs.listing import expand
from tests.conftest import run

CAT = shipped.samples()["cat"]
COMMAND = Path(sys.executable).parent / "edge-classify"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.jpg", "sub/c.PNG", "sub/deep/d.gif", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def names(*given):
    return [source.name if source.error is None else str(source.error) for source in expand(given)]


def test_directories_are_searched_in_order(folder):
    assert names(".") == ["a.jpg", "b.png", "sub/c.PNG", "sub/deep/d.gif"]
    assert names("sub/") == ["sub/c.PNG", "sub/deep/d.gif"]
    assert names(str(folder / "sub")) == [f"{folder}/sub/c.PNG", f"{folder}/sub/deep/d.gif"]


def test_links_are_followed_but_no_circles(folder):
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "sub" / "self").symlink_to(folder / "sub")
    (folder / "other").symlink_to(folder / "sub" / "deep")
    (folder / "broken.png").symlink_to("nowhere")  # the error comes when it is read
    expected = ["a.jpg", "b.png", "broken.png", "sub/c.PNG", "sub/deep/d.gif"]
    assert names(".") == expected


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root reads everything")
def test_a_directory_without_permission_is_an_error(folder):
    (folder / "sub").chmod(0)
    assert "sub cannot be searched (Permission denied); check it and its permissions." in names(".")


def test_globs(folder):
    assert names("*.png") == ["b.png"]
    assert names("**/*.gif") == ["sub/deep/d.gif"]
    assert names("x*.png") == ["x*.png matches no file; check the pattern."]
    Path("x[1].png").touch()  # a file that is named like the pattern
    assert names("x[1].png") == ["x[1].png"]


def test_a_glob_may_match_directories(folder):
    (folder / "about").mkdir()
    assert [name.split(";")[0] for name in names("[ab]*")] == [
        "a.jpg",
        "about is a directory without images",
        "b.png",
    ]
    assert names("s*") == ["sub/c.PNG", "sub/deep/d.gif"]
    assert names("**/deep") == ["sub/deep/d.gif"]
    for pattern in ("sub/**", "sub/**/*"):  # each file once, although its folders match too
        assert names(pattern) == ["sub/c.PNG", "sub/deep/d.gif"]


def test_a_glob_follows_no_circles_of_links(folder):
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "sub" / "round").symlink_to(".")
    (folder / ".hidden").mkdir()
    shutil.copy(folder / "b.png", folder / ".hidden" / "x.png")
    assert names("**/*.png") == ["b.png"]
    assert names("**/*.gif") == ["sub/deep/d.gif"]
    assert names("s*/**/*.[g]if") == ["sub/deep/d.gif"]
    assert names(f"{folder}/**/deep/**/d.gif") == [f"{folder}/sub/deep/d.gif"]


def test_a_link_to_itself_hides_nothing_else(folder):
    (folder / "sub" / "ring").symlink_to("ring")
    first, last, error = names("sub")
    assert (first, last) == ("sub/c.PNG", "sub/deep/d.gif")
    assert error.startswith("sub/ring cannot be searched (")


def test_a_tree_may_be_deeper_than_python_s_recursion_limit(folder):
    here = Path("deep")
    here.mkdir()
    for _ in range(1200):
        here /= "d"
        here.mkdir()
    (here / "a.png").touch()
    try:
        assert names("deep") == [str(here / "a.png")]
    finally:
        subprocess.run(["rm", "-r", "deep"], check=True)  # too deep for pytest's own cleaning


def test_missing_files_keep_their_place(folder):
    assert names("b.png", "", "nope.png") == [
        "b.png",
        "Expected the name of a file or directory, but got an empty one.",
        "nope.png",
    ]


def test_expanding_is_lazy(folder):
    def endless():
        while True:
            yield "b.png"

    first = expand(endless())
    assert [next(first).name for _ in range(3)] == ["b.png"] * 3


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".bmp", ".webp", ".tif", ".ppm"])
def test_an_image_on_standard_input(tmp_path, suffix):
    from PIL import Image

    path = tmp_path / f"ship{suffix}"
    Image.open(shipped.samples()["ship"]).convert("RGB").save(path)
    with path.open("rb") as stream:
        result = run("edge-classify", "-", stdin=stream)
    assert (result.returncode, result.stderr) == (0, "")
    assert "ship 0." in result.stdout


def test_names_on_standard_input():
    text = f"{CAT}\n\n{shipped.samples()['ship']}\r\nnope.png"
    result = run("edge-classify", "-", input=text)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [str(CAT), str(shipped.samples()["ship"])]
    assert "no file nope.png" in result.stderr
    missing = run("edge-classify", "-", input=f"P1040001.JPG\n{CAT}\n")
    assert (missing.returncode, missing.stdout.split(":")[0]) == (1, str(CAT))
    assert "no file P1040001.JPG" in missing.stderr
    assert "Standard input is empty" in run("edge-classify", "-", input="").stderr


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbfcat.png\nship.png\n",
        b"\xef\xbb\xbfcat.png\r\nship.png\r\n",
        b"\n \ncat.png\n\n\t\nship.png",
        "\ufeffcat.png\r\n\r\nship.png\r\n".encode("utf-16-le"),
        "\ufeffcat.png\nship.png".encode("utf-16-be"),
    ],
)
def test_lists_with_marks_and_blank_lines(monkeypatch, text):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert names("-") == ["cat.png", "ship.png"]


def test_lists_that_hold_no_name(monkeypatch):
    for text, reason in ((b"\n\n", "is empty"), (b"\xff\xfea", "but is not; save the names as")):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
        [message] = names("-")
        assert reason in message


@pytest.mark.parametrize("start", [b"\n\5\1\x08\0\0\0\0", b"Pf\n3 2\n-1\n"])
def test_images_that_start_like_text(monkeypatch, start):
    """A PCX image starts with a line break, and a PFM image with two letters."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(start)))
    assert [source.content for source in expand(["-"])] == [start]


def test_a_name_from_a_pipe_is_classified_at_once():
    command = [COMMAND, "-"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        for path in shipped.samples().values():
            one.stdin.write(f"{path}\n")
            one.stdin.flush()
            assert one.stdout.readline().startswith(f"{path}: ")
    assert one.returncode == 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_closed_standard_input_is_an_error():
    result = subprocess.run(f"{COMMAND} - <&-", shell=True, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (
        "edge-classify: Standard input is closed; expected an image, or names of images.\n"
    )


def test_a_video_among_images_is_an_error(folder):
    (folder / "film.avi").touch()
    assert names("*.avi") == ["film.avi is a video; name it by itself on the command line."]


def test_a_folder_may_be_named_like_a_video(folder):
    (folder / "dir.mp4").mkdir()
    (folder / "dir.mp4" / "cat.png").touch()
    assert names("dir.mp4") == ["dir.mp4/cat.png"]
