"""Bad input of `edge-teach`: one sentence, the right exit code, and nothing written."""

import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from edge_runtime import OutputError, TeachingError, teach
from tests.conftest import run
from tests.edge_runtime.teaching.conftest import refused


def taught_report(folder, *options):
    """Run the command, which must succeed, and return its report and its messages."""
    result = run("edge-teach", folder.name, "--json", *options, cwd=folder.parent)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout), result.stderr


def test_an_empty_class(folder):
    (folder / "empty").mkdir()
    (folder / "empty" / "notes.txt").write_text("no photograph")
    assert refused(folder).startswith(
        "Expected own/empty to hold at least 2 photographs that can be read, but found none; "
    )


def test_photographs_in_heic_are_named(folder):
    """Telephones save photographs so, and nothing is wrong with them for the user."""
    (folder / "empty").mkdir()
    (folder / "empty" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    assert refused(folder).endswith(
        "but found none; save those in HEIC as JPEG, or move the folder away."
    )
    (folder / "empty" / "IMG_1.HEIC").rename(folder / "ring" / "IMG_1.HEIC")
    (folder / "empty").rmdir()
    assert "1 of them HEIC: save them as JPEG" in taught_report(folder)[1]


@pytest.mark.parametrize("name", ["None-Of-These", "none of these", "none_of_these"])
def test_counter_examples_under_another_name(folder, name):
    """As a class, they would be named and accepted."""
    (folder / "ring").rename(folder / name)
    assert refused(folder).endswith(
        f"{name} would be a class; rename the folder to none-of-these, as counter-examples are "
        f"called."
    )


def test_one_class(folder):
    shutil.rmtree(folder / "disc")
    shutil.rmtree(folder / "ring")
    assert "2 to 1,000 classes, but found 1 (square); give each" in refused(folder)


def test_no_class(folder):
    shutil.rmtree(folder)
    folder.mkdir()
    assert refused(folder).endswith(
        "2 to 1,000 classes, but found none; give each class a folder of its own, and name the "
        "folder above them."
    )


def test_counter_examples_are_no_class(folder):
    shutil.rmtree(folder / "disc")
    (folder / "ring").rename(folder / "none-of-these")
    assert "but found 1 (square)" in refused(folder)


def test_a_missing_folder(folder):
    shutil.rmtree(folder)
    assert refused(folder).startswith("own does not exist; expected a folder ")


def test_a_file_instead_of_a_folder(folder):
    shutil.rmtree(folder)
    folder.write_text("a file")
    assert refused(folder).startswith("own is not a folder; expected a folder ")


def test_unreadable_photographs_are_named_and_left_out(folder):
    (folder / "disc" / "text.jpg").write_text("no image")
    content = (folder / "disc" / "00.png").read_bytes()
    (folder / "ring" / "cut.png").write_bytes(content[:3000])
    (folder / "ring" / "empty.png").write_bytes(b"")
    (folder / "square" / "nowhere.png").symlink_to("missing.png")
    report, messages = taught_report(folder)
    assert report["classes"] == {"disc": 8, "ring": 8, "square": 8}
    assert len(report["unreadable"]) == 4
    for name in ("disc/text.jpg", "ring/cut.png", "ring/empty.png", "square/nowhere.png"):
        assert f"own/{name} " in messages
    assert "left out what cannot be read: 4." in messages


def test_a_class_without_a_readable_photograph(folder):
    for path in (folder / "ring").iterdir():
        path.write_text("no image")
    assert "own/ring to hold at least 2 photographs that can be read" in refused(folder)


@pytest.mark.parametrize("name", ["a\nb", "tab\t", " disc", "disc ", b"\xff", "\u202e"])
def test_names_that_cannot_be_labels(folder, name):
    os.mkdir(os.path.join(os.fsencode(folder), os.fsencode(name)))  # noqa: PTH102, PTH118
    assert "which cannot be a label; rename the folder to printable text" in refused(folder)


def test_unusual_names_are_labels(folder):
    names = ["ä, \"b\" 🎉 'c'", "n" * 250, "Disc", "train"]
    for name, old in zip(names, ["ring", "square", "disc", "disc"], strict=True):
        shutil.copytree(folder / old, folder / name)
    shutil.rmtree(folder / "ring")
    report, _ = taught_report(folder)
    assert set(report["classes"]) == {"disc", "square", *names}
    info = run("edge-classify", "--info", "taught.tflite", cwd=folder.parent)
    assert names[0] in info.stdout
    result = run(
        *("edge-classify", "--model", "taught.tflite", "--json", "--top-k", "6"),
        "own/square/00.png",
        cwd=folder.parent,
    )
    labels = {p["label"] for p in json.loads(result.stdout)["predictions"]}
    assert labels == {"disc", "square", *names}


def test_photographs_beside_the_classes_are_mentioned(folder):
    shutil.copyfile(folder / "disc" / "00.png", folder / "stray.png")
    (folder / "ring" / "notes.txt").write_text("notes")
    report, messages = taught_report(folder)
    assert sum(report["classes"].values()) == 24
    assert messages == (
        "edge-teach: left out 2 files without an image's suffix or beside the folders of the "
        "classes.\n"
    )


def test_links_that_lead_in_circles_end(folder):
    (folder / "itself").symlink_to("itself")
    (folder / "disc" / "self").symlink_to(".")
    (folder / "disc" / "circle").symlink_to("circle")
    report, messages = taught_report(folder)
    assert report["classes"] == {"disc": 8, "ring": 8, "square": 8}
    assert "Traceback" not in messages


def test_the_same_photograph_in_two_classes_is_reported(folder):
    shutil.copyfile(folder / "disc" / "03.png", folder / "square" / "copy.png")
    report, _ = taught_report(folder)
    assert report["near_doubles"][0] == {
        "first": "own/disc/03.png",
        "second": "own/square/copy.png",
        "across": True,
    }


def test_photographs_that_are_all_the_same(folder):
    content = (folder / "disc" / "00.png").read_bytes()
    for path in folder.glob("*/*.png"):
        path.write_bytes(content)
    assert refused(folder) == (
        "The photographs are all nearly the same, so that nothing can be learnt from them; add "
        "others."
    )


def test_classes_of_one_photograph_many_times(folder):
    """Cross-validation can say nothing then, but the photographs can be told apart."""
    for path in folder.glob("*/*.png"):
        path.write_bytes((path.parent / "00.png").read_bytes())
    report, messages = taught_report(folder)
    assert messages == ""
    assert report["expected"]["high"] > 0.5 and report["mislabelled"] == []
    result = run(
        *("edge-classify", "--model", "taught.tflite", "--json"),
        *(f"own/{name}/01.png" for name in ("disc", "ring", "square")),
        cwd=folder.parent,
    )
    rows = [json.loads(line)["predictions"][0]["label"] for line in result.stdout.splitlines()]
    assert rows == ["disc", "ring", "square"]


def test_odd_photographs_are_read(folder):
    for name, image in {
        "dot.png": Image.new("RGB", (1, 1), "red"),
        "line.png": Image.new("RGB", (300, 2), "red"),
        "grey.png": Image.new("L", (40, 50), 90),
        "clear.png": Image.new("RGBA", (40, 50), (200, 30, 30, 100)),
        "deep.png": Image.fromarray(np.full((40, 50), 20_000, np.uint16)),
        "palette.gif": Image.new("P", (40, 50), 3),
    }.items():
        image.save(folder / "disc" / name)
    report, messages = taught_report(folder)
    assert report["classes"]["disc"] == 14
    assert (report["unreadable"], messages) == ([], "")


def test_two_photographs_beside_many(folder):
    shutil.rmtree(folder / "square")
    for path in sorted((folder / "ring").iterdir())[2:]:
        path.unlink()
    result = run("edge-teach", folder.name, cwd=folder.parent)
    assert result.returncode == 0, result.stderr
    assert "(few: the figures below say little)" in result.stdout.splitlines()[2]


def test_a_test_folder_of_another_class_is_refused(folder, shapes):
    test = shutil.copytree(shapes, folder.parent / "judge")
    (test / "disc").rename(test / "disk")
    sentence = refused(folder, "--test", "judge")
    assert sentence.startswith("judge/disk has the name of no class (disc, ring, ")


def test_an_empty_test_folder_is_refused(folder):
    (folder.parent / "judge").mkdir()
    assert "photographs in folders named like the classes" in refused(folder, "--test", "judge")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--side", "100"], "expected one of 128, 160, 192, 224, but got 100"),
        (["--threads", "0"], "--threads"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_options_that_cannot_be_meant(folder, options, why):
    result = run("edge-teach", "own", *options, cwd=folder.parent)
    assert (result.returncode, result.stdout) == (2, "")
    assert why in result.stderr
    assert [p.name for p in folder.parent.iterdir()] == ["own"]


def test_python_raises_the_runtimes_errors(folder, tmp_path):
    with pytest.raises(ValueError, match="`side`"):
        teach(folder, tmp_path / "x.tflite", side=100)
    with pytest.raises(ValueError, match="`threads`"):
        teach(folder, tmp_path / "x.tflite", threads=0)
    with pytest.raises(TeachingError, match="does not exist"):
        teach(tmp_path / "missing", tmp_path / "x.tflite")
    with pytest.raises(OutputError, match="is a directory"):
        teach(folder, tmp_path)
