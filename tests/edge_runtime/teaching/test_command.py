"""`edge-teach` as a user meets it: photographs, a model, and every client of the model."""

import json
import os
import shutil

import numpy as np
import pytest

from edge_runtime import Classifier, teach
from edge_runtime.teaching.graph import SIDES
from tests.conftest import run
from tests.edge_runtime.teaching.drawings import draw_classes


@pytest.fixture(scope="module")
def new_shapes(tmp_path_factory):
    """Photographs of the same classes that no model was taught."""
    return draw_classes(tmp_path_factory.mktemp("new") / "new", count=6, seed=99)


def predictions(model, *sources):
    result = run("edge-classify", "--model", model, "--json", *sources)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_new_photographs_get_the_right_class(shapes_model, new_shapes):
    path, _ = shapes_model
    rows = predictions(path, new_shapes)
    assert len(rows) == 18
    right = [row["predictions"][0]["label"] == row["source"].split("/")[-2] for row in rows]
    assert np.mean(right) >= 0.9


def test_the_file_describes_itself(shapes_model):
    path, _ = shapes_model
    result = run("edge-classify", "--info", path)
    assert result.returncode == 0
    for name in ("disc", "ring", "square"):
        assert name in result.stdout
    assert "224" in result.stdout


def test_the_report_as_json(shapes_model, shapes):
    path, report = shapes_model
    assert report["classes"] == {"disc": 8, "ring": 8, "square": 8}
    assert report["path"] == str(path) and report["size"] == path.stat().st_size
    expected = report["expected"]
    assert 0.8 <= expected["top1"] <= 1 and expected["photographs"] == 24
    assert expected["low"] < expected["top1"] <= expected["high"] + 1e-9
    numbers = [point["photographs"] for point in report["curve"]]
    assert numbers == sorted(set(numbers)) and report["curve"][-1]["top1"] == expected["top1"]
    assert report["agreement"] >= 0.95
    assert (report["tested"], report["unreadable"], report["left_out"]) == (None, [], "")


def test_the_report_as_text_ends_with_the_next_command(shapes, new_shapes, tmp_path):
    result = run("edge-teach", shapes, "--out", "my model.tflite", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "24 photographs of 3 classes"
    assert lines[1:4] == ["  disc        8", "  ring        8", "  square      8"]
    assert lines[-1] == "Next: edge-classify --model 'my model.tflite' PHOTOGRAPH"
    assert [p.name for p in tmp_path.iterdir()] == ["my model.tflite"]


def test_the_next_command_does_not_name_a_shipped_model(shapes, tmp_path):
    result = run("edge-teach", shapes, "--out", "cnn-int8", cwd=tmp_path)
    last = result.stdout.splitlines()[-1]
    assert last == "Next: edge-classify --model ./cnn-int8 PHOTOGRAPH"
    model = last.split()[3]
    assert "disc, ring, square" in run("edge-classify", "--info", model, cwd=tmp_path).stdout


def test_a_second_run_gives_the_same_bytes_and_is_faster(shapes, tmp_path):
    seconds = []
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for name in ("first", "second"):
        out = tmp_path / f"{name}.tflite"
        result = run("edge-teach", shapes, "--out", out, "--json", env=environment)
        seconds.append(json.loads(result.stdout)["seconds"])
    assert (tmp_path / "first.tflite").read_bytes() == (tmp_path / "second.tflite").read_bytes()
    assert seconds[1] < seconds[0]


def test_python_gives_the_same_model_and_report(shapes_model, shapes, tmp_path):
    path, record = shapes_model
    report = teach(shapes, tmp_path / "own.tflite")
    assert (tmp_path / "own.tflite").read_bytes() == path.read_bytes()
    own = report.record()
    for key in ("expected", "classes", "curve", "confusions", "near_doubles", "threshold"):
        assert own[key] == record[key]
    with Classifier(tmp_path / "own.tflite") as classifier:
        assert classifier.labels == ("disc", "ring", "square")


@pytest.mark.parametrize("side", SIDES[:-1])
def test_another_side(shapes, new_shapes, tmp_path, side):
    out = tmp_path / "small.tflite"
    result = run("edge-teach", shapes, "--out", out, "--side", str(side), "--json")
    assert json.loads(result.stdout)["side"] == side
    rows = predictions(out, new_shapes)
    right = [row["predictions"][0]["label"] == row["source"].split("/")[-2] for row in rows]
    assert np.mean(right) >= 0.8
    info = run("edge-classify", "--info", out).stdout
    assert str(side) in info


def test_a_test_folder_judges_the_model(shapes, new_shapes, tmp_path):
    result = run("edge-teach", shapes, "--test", new_shapes, "--json", cwd=tmp_path)
    report = json.loads(result.stdout)
    rows = predictions(tmp_path / "taught.tflite", new_shapes)
    right = np.mean([r["predictions"][0]["label"] == r["source"].split("/")[-2] for r in rows])
    assert report["tested"]["photographs"] == 18
    assert report["tested"]["top1"] == pytest.approx(right, abs=1 / 18 + 1e-9)
    assert report["expected"]["photographs"] == 24


@pytest.mark.parametrize("left", [True, False])
def test_photographs_that_were_learnt_do_not_test(shapes, new_shapes, tmp_path, left):
    test = shutil.copytree(shapes, tmp_path / "judge")
    if left:
        (test / "disc" / "00.png").rename(test / "ring" / "renamed.png")
        shutil.copytree(new_shapes, test, dirs_exist_ok=True)  # replaces 17 of 24
    report = teach(shapes, tmp_path / "taught.tflite", test=test)
    record, text = report.record(), report.text()
    if left:
        assert record["tested"]["photographs"] == 18
        said = "Left out 7 of 25 test photographs, because the model learnt from them."
        assert "On 18 test photographs: " in text
    else:
        assert (record["tested"], record["test_confusions"]) == (None, [])
        said = (
            "Left out 24 of 24 test photographs, because the model learnt from them; none is left "
            "to test it on."
        )
        assert "On 24 test photographs" not in text
    assert record["test_left_out"] == said
    assert f"\n{said}\n" in text


def test_the_test_of_a_data_set_may_be_named_by_its_folder(shapes, new_shapes, tmp_path):
    shutil.copytree(shapes, tmp_path / "set" / "train")
    shutil.copytree(new_shapes, tmp_path / "set" / "test")
    result = run("edge-teach", "set/train", "--test", "set", "--json", cwd=tmp_path)
    report = json.loads(result.stdout)
    assert (report["tested"]["photographs"], report["test_left_out"]) == (18, "")


def test_two_spellings_of_a_name_are_one_class(shapes, new_shapes, tmp_path):
    """A folder from a Mac has another form of Unicode in its name."""
    own = shutil.copytree(shapes, tmp_path / "own")
    (own / "disc").rename(own / "cafe\u0301")
    (own / "caf\u00e9").mkdir()
    (own / "cafe\u0301" / "00.png").rename(own / "caf\u00e9" / "00.png")
    test = shutil.copytree(new_shapes, tmp_path / "judge")
    (test / "disc").rename(test / "caf\u00e9")
    report = teach(own, tmp_path / "taught.tflite", test=test)
    assert report.classes == {"cafe\u0301": 8, "ring": 8, "square": 8}
    assert report.tested.photographs == 18


def test_train_and_test_folders_are_understood(shapes_model, shapes, new_shapes, tmp_path):
    path, _ = shapes_model
    shutil.copytree(shapes, tmp_path / "set" / "train")
    shutil.copytree(new_shapes, tmp_path / "set" / "test")
    result = run("edge-teach", "set", "--json", cwd=tmp_path)
    report = json.loads(result.stdout)
    assert report["classes"] == {"disc": 8, "ring": 8, "square": 8}
    assert report["tested"]["photographs"] == 18
    assert (tmp_path / "taught.tflite").read_bytes() == path.read_bytes()


def test_folders_beside_train_and_test_are_named(shapes, new_shapes, tmp_path):
    shutil.copytree(shapes, tmp_path / "train")
    shutil.copytree(new_shapes, tmp_path / "test")
    shutil.copytree(new_shapes / "disc", tmp_path / "validation")
    result = run("edge-teach", ".", cwd=tmp_path)
    assert result.returncode == 0
    assert "beside the folders train and test (validation)" in result.stderr


def test_counter_examples_lower_scores(shapes, tmp_path):
    """What is none of the classes is taught to score low, and the threshold tells it apart."""
    with_examples = shutil.copytree(shapes, tmp_path / "shapes")
    others = draw_classes(tmp_path / "others", ("left", "right"), count=6, seed=5)
    (with_examples / "none-of-these").mkdir()
    for at, photograph in enumerate(sorted(others.glob("*/*.png"))):
        shutil.copyfile(photograph, with_examples / "none-of-these" / f"{at}.png")
    result = run("edge-teach", with_examples, "--json", cwd=tmp_path)
    report = json.loads(result.stdout)
    assert report["counter_examples"] == 12
    assert set(report["classes"]) == {"disc", "ring", "square"}
    assert report["counter_examples_accepted"] <= 0.5 < report["accepted"]
    new = draw_classes(tmp_path / "unseen", ("left", "right"), count=6, seed=6)
    best = [r["predictions"][0]["score"] for r in predictions(tmp_path / "taught.tflite", new)]
    assert np.mean(np.array(best) < report["threshold"]) >= 0.5


def test_many_counter_examples_do_not_keep_a_model_from_being_written(tmp_path):
    """All classes score nearly 0 on them, so the file's best class need not be the head's."""
    folder = draw_classes(tmp_path / "shapes", ("left", "right"), count=6, seed=1)
    others = draw_classes(tmp_path / "others", count=20, seed=2)
    (folder / "none-of-these").mkdir()
    for at, photograph in enumerate(sorted(others.glob("*/*.png"))):
        shutil.copyfile(photograph, folder / "none-of-these" / f"{at}.png")
    result = run("edge-teach", folder, "--json", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    report = json.loads(result.stdout)
    assert (report["counter_examples"], report["classes"]) == (60, {"left": 6, "right": 6})
    assert report["agreement"] >= 0.9


def test_flipped_labels_and_copies_are_listed(shapes, tmp_path):
    changed = shutil.copytree(shapes, tmp_path / "shapes")
    (changed / "ring" / "05.png").rename(changed / "disc" / "flipped.png")
    shutil.copyfile(changed / "square" / "00.png", changed / "ring" / "copy.png")
    report = json.loads(run("edge-teach", changed, "--json", cwd=tmp_path).stdout)
    listed = {(m["path"].split("shapes/")[1], m["looks_like"]) for m in report["mislabelled"]}
    assert ("disc/flipped.png", "ring") in listed
    assert ("ring/copy.png", "square") in listed
    assert len(listed) <= 4
    first = report["near_doubles"][0]
    assert first["across"] is True
    assert {p.split("shapes/")[1] for p in (first["first"], first["second"])} == {
        "square/00.png",
        "ring/copy.png",
    }
    text = run("edge-teach", changed, "--overwrite", cwd=tmp_path).stdout
    assert "Possibly mislabelled:" in text and "(in two classes)" in text


@pytest.mark.parametrize(
    ("name", "below"),
    [("shapes/", "."), ("./shapes", "."), ("../shapes", "shapes"), (".", "shapes")],
)
def test_a_folder_may_be_named_in_any_way(shapes_model, shapes, tmp_path, name, below):
    path, _ = shapes_model
    out = tmp_path / "x.tflite"
    result = run("edge-teach", name, "--out", out, cwd=shapes.parent / below)
    assert (result.returncode, result.stderr) == (0, "")
    assert out.read_bytes() == path.read_bytes()


def test_help_and_version():
    assert "photographs" in run("edge-teach", "--help").stdout
    assert run("edge-teach", "--version").stdout.startswith("edge-teach ")
