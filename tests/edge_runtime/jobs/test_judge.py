"""`edge-classify --judge`: how good a model is on a folder of images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Classifier, ModelError, OptionError, TeachingError
from edge_runtime.cli.about_models import judge_model
from edge_runtime.inference import shipped
from edge_runtime.inference.sidecar import write_sidecar
from edge_runtime.jobs.judge import judge
from tests.conftest import GOLDEN, run

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture
def folder(tmp_path):
    """Ten images of each colour; three of those in `red` are blue."""
    for name, colour in COLOURS.items():
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(10):
            shown = COLOURS["blue"] if name == "red" and number < 3 else colour
            pixels = np.full((4, 4, 3), shown, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    return tmp_path / "images"


@pytest.fixture
def model(tmp_path):
    return shutil.copy(GOLDEN / "uint8.tflite", tmp_path / "colours.tflite")


def test_counts_by_class(folder, model):
    found = judge(Classifier(model), folder)
    assert (found.model, found.images, found.right) == ("colours", 30, 27)
    assert found.classes == {"red": (10, 7), "green": (10, 10), "blue": (10, 10)}
    assert found.confusions == (("red", "blue", 3),)
    assert found.interval[0] < 0.9 < found.interval[1]
    assert (found.accepted, found.accepted_right) == (30, 27)
    json.dumps(found.record())


def test_counter_examples_and_damaged_files(folder, model):
    (folder / "none-of-these").mkdir()
    Image.new("RGB", (4, 4), "grey").save(folder / "none-of-these" / "grey.png")
    (folder / "red" / "broken.png").write_bytes(b"no image")
    (folder / "red" / "notes.txt").write_text("no image either")
    found = judge(Classifier(model), folder)
    assert (found.images, found.counter_examples, found.counter_examples_accepted) == (30, 1, 1)
    assert len(found.failed) == 1
    assert "broken.png" in found.failed[0]
    assert found.left_out.startswith("Left out 1 file")


def test_thresholds_hold_for_the_options_with_which_they_were_measured(folder, model):
    options = {"mean": 100, "std": [50, 60, 70], "fit": "pad", "scores": "softmax"}
    with Classifier(model, **options) as classifier:
        acceptance = json.loads(json.dumps(judge(classifier, folder).acceptance))
    assert acceptance["options"] == options | {"mean": [100]}
    write_sidecar(Path(model), acceptance, overwrite=False)
    with Classifier(model, **options, max_error=0.4) as same:
        assert "are accepted" in same.acceptance.promise
    with Classifier(model, **options) as same:
        assert same.acceptance.promise == ""
    said = "measured with --fit pad, not with the model's own fit"
    with Classifier(model, **options | {"fit": None}) as other:
        assert other.acceptance.promise == f"The threshold was {said}."
    with pytest.raises(OptionError, match=f"--max-error was {said}; use the same options"):
        Classifier(model, **options | {"fit": None}, max_error=0.4)


def test_classes_of_the_same_name_are_one(folder, model):
    """ImageNet has two classes named crane."""
    (folder / "red").rename(folder / "box")
    for path in (folder / "green").iterdir():
        path.rename(folder / "box" / f"green-{path.name}")
    (folder / "green").rmdir()
    (folder / "blue").rename(folder / "can")
    found = judge(Classifier(model, labels=["box", "box", "can"]), folder)
    assert found.classes == {"box": (20, 17), "can": (10, 10)}
    assert found.confusions == (("box", "can", 3),)
    assert found.acceptance["wrong"] == 3
    assert [found.acceptance["leads_of"][name][0][1] for name in ("box", "can")] == [17, 13]


@pytest.mark.parametrize(
    ("label", "name"), [("caf\u00e9", "cafe\u0301"), ("cafe\u0301", "caf\u00e9")]
)
def test_a_folder_may_spell_its_class_in_another_form_of_unicode(folder, model, label, name):
    """Folders from a Mac do."""
    (folder / "red").rename(folder / name)
    found = judge(Classifier(model, labels=[label, "green", "blue"]), folder)
    assert found.classes[label] == (10, 7)


def test_saved_tables_belong_to_outputs_whatever_their_labels(folder, model):
    labels = folder.parent / "labels.txt"
    labels.write_text("green\nred\nblue\n")
    (folder / "red").rename(folder / "x")
    (folder / "green").rename(folder / "red")
    (folder / "x").rename(folder / "green")
    command = ("edge-classify", "--model", model, "--labels", labels, "--judge", folder, "--save")
    assert run(*command).returncode == 0
    with Classifier(model, max_error={"red": 0.5}) as classifier:
        assert "0 of 7 were wrong" in classifier.acceptance.promise
    with Classifier(model, labels=["green", "red", "blue"], max_error={"red": 0.5}) as classifier:
        assert "0 of 10 were wrong" in classifier.acceptance.promise


def test_a_model_that_fails_on_all_images_is_not_blamed_on_the_files(folder, model, monkeypatch):
    def fail(tensor):
        raise ModelError("it gave scores that are not numbers.")

    (folder / "blue" / "0.png").write_bytes(b"no image")
    with Classifier(model) as classifier:
        monkeypatch.setattr(classifier, "invoke", fail)
        with pytest.raises(TeachingError) as exc:
            judge(classifier, folder)
    assert str(exc.value) == (
        f"None of the 30 images in {folder} can be classified; 29 of them failed like "
        f"{folder}/red/0.png: it gave scores that are not numbers."
    )


def test_files_that_are_no_images_are_named(folder, model):
    for path in folder.glob("*/*.png"):
        path.write_bytes(b"no image")
    result = run("edge-classify", "--model", model, "--judge", folder)
    assert (result.returncode, result.stdout) == (1, "")
    assert f"1 of them failed like {folder}/red/0.png: {folder}/red/0.png " in result.stderr


def test_folders_that_do_not_fit(folder, model, tmp_path):
    (folder / "purple").mkdir()
    with pytest.raises(TeachingError, match=r"purple has the name of no class"):
        judge(Classifier(model), folder)
    with pytest.raises(TeachingError, match=r"clip\.avi does not exist; expected a folder"):
        judge(Classifier(model), tmp_path / "clip.avi")
    with pytest.raises(TeachingError, match=r"named like the classes, but found none"):
        (tmp_path / "empty").mkdir()
        judge(Classifier(model), tmp_path / "empty")


def test_the_command_judges_and_saves_thresholds(folder, model):
    result = run("edge-classify", "--model", model, "--judge", folder, "--save")
    assert result.returncode == 0
    summary = "colours classifies 27 of 30 images correctly: 90.0% (95 % interval"
    assert result.stdout.startswith(summary)
    assert "red taken for blue: 3" in result.stdout
    assert "colours.tflite.acceptance.json. From now on, " in result.stderr
    assert "colours.tflite accepts scores from 0." in result.stderr
    again = run("edge-classify", "--model", model, "--judge", folder, "--save")
    assert again.returncode == 2
    assert again.stderr.endswith("acceptance.json exists; add --overwrite to replace it.\n")
    grey = folder.parent / "grey.png"
    Image.new("RGB", (4, 4), (100, 100, 100)).save(grey)
    text = run("edge-classify", "--model", model, grey).stdout
    assert text.startswith(f"{grey}: none of these (")
    line = json.loads(run("edge-classify", "--model", model, "--json", grey).stdout)
    assert line["accepted"] is False
    assert line["predictions"][0]["score"] < 0.5
    text = run("edge-classify", "--model", model, "--accept-all", grey).stdout
    assert "none of these" not in text


def test_thresholds_are_not_saved_for_a_shipped_model(folder):
    """It reads no such file, so saving one would promise what does not hold."""
    result = run("edge-classify", "--judge", folder, "--save")
    assert result.returncode == 2
    assert "--save writes beside a model file of your own; copy " in result.stderr
    assert not shipped.find("cnn-int8").with_name("cnn-int8.tflite.acceptance.json").exists()


def test_nothing_is_judged_if_the_thresholds_cannot_be_saved(folder, model, monkeypatch):
    model.with_name("colours.tflite.acceptance.json").write_text("{")
    monkeypatch.setattr("edge_runtime.jobs.judge.judge", None)
    with Classifier(model, accept_all=True) as classifier:
        assert judge_model(classifier, folder, as_json=False, save=True, overwrite=False) == 2


def test_thresholds_are_not_saved_for_a_file_that_came_meanwhile(folder, model, capsys):
    with Classifier(model) as classifier:
        shutil.copy(GOLDEN / "int8.tflite", model)
        assert judge_model(classifier, folder, as_json=False, save=True, overwrite=False) == 1
    assert "colours.tflite has changed since it was opened; open it" in capsys.readouterr().err
    assert not model.with_name("colours.tflite.acceptance.json").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--max-error", "1%"], "does not say how often it is wrong"),
        (["--max-error", "much"], "expected --max-error to be a percentage"),
        (["--max-error", "0%"], "expected --max-error to be a percentage above 0 and below 100"),
        (["--max-error", "1%", "--max-error", "5%"], "one --max-error for all classes"),
        (["--max-error", "red=1%", "--max-error", "red=5%"], "one --max-error for red, but got"),
        (["--max-error", "caf\u00e9=1%", "--max-error", "cafe\u0301=5%"], "but got several"),
        (["--max-error", "1%", "--accept-all"], "got both"),
        (["--save"], "--save needs --judge"),
        (["--judge", "--csv"], "--judge takes one folder"),
    ],
)
def test_options_that_cannot_be_meant(folder, model, arguments, said):
    result = run("edge-classify", "--model", model, *arguments, folder)
    assert result.returncode == 2
    assert said in result.stderr.replace("\n", " ")
