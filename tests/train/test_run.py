"""A run from start to finish in its folder, on a small data set."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.train.small import DATA, SHORT_SEED, SHORT_UNTAUGHT, outliers_in, split
from train import evaluation, rejection, run, run_files, temperature, weights
from train.architectures import simple_cnn
from train.fit import Training
from train.recipes import RECIPES


def test_a_finished_run_has_all_its_files(finished):
    folder, _ = finished
    assert sorted(path.name for path in folder.iterdir()) == [
        "checkpoint.safetensors",
        "confusion.png",
        "curves.png",
        "held-out.safetensors",
        "history.json",
        "mistakes.png",
        "reliability.png",
        "report.json",
        "weights.safetensors",
    ]
    for name in run_files.PLOTS:
        with Image.open(folder / name) as plot:
            assert min(plot.size) > 300
            assert len(np.unique(np.asarray(plot.convert("L")))) > 20


def test_the_report_states_the_figures_of_the_weights(finished):
    folder, printed = finished
    report = json.loads((folder / "report.json").read_text())
    assert report["epochs"] == len(json.loads((folder / "history.json").read_text())) == 2
    assert (report["network"], report["recipe_name"], report["seed"]) == ("cnn", "seed", 3)
    model = simple_cnn(2)
    weights.load(model, folder / "weights.safetensors")
    for name, part in (("held_out", DATA.held_out), ("test", DATA.test)):
        figures = report[name]
        again = evaluation.evaluate(model, part)
        assert figures == again.as_json(DATA.class_names)
        assert figures["images"] == len(part)
        assert sum(map(sum, figures["confusion"])) == len(part)
        assert f"top-1 {figures['top1']:.2%}" in printed
    assert report["test"]["per_class"].keys() == {"dark", "bright"}


def test_calibration_is_folded_in_and_reported(calibrated):
    folder, printed = calibrated
    report = json.loads((folder / "report.json").read_text())
    degree = report["temperature"]
    assert degree != 1
    assert f"temperature {degree:.3f}; without it loss" in printed
    before, after = report["uncalibrated"]["held_out"], report["held_out"]
    assert after["loss"] < before["loss"]
    model = simple_cnn(2)
    weights.load(model, folder / "weights.safetensors")
    assert evaluation.evaluate(model, DATA.held_out).loss == pytest.approx(after["loss"], rel=1e-6)
    temperature.fold(model, 1 / degree)
    assert evaluation.evaluate(model, DATA.held_out).loss == pytest.approx(before["loss"], rel=1e-4)


def test_too_few_images_to_calibrate_are_reported(tmp_path):
    few = dataclasses.replace(DATA, held_out=split(10, 1))
    text = run.train(SHORT_UNTAUGHT, "untaught", few, tmp_path, seed=3)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["held_out"]["top1"] == 1
    assert (report["temperature"], report["uncalibrated"]) == (None, {})
    assert "not calibrated: 10 held-out images are too few to fit a temperature" in text


def test_the_recipe_seed_does_not_calibrate(finished):
    report = json.loads((finished[0] / "report.json").read_text())
    assert (report["temperature"], report["uncalibrated"]) == (None, {})


def test_the_report_says_which_outliers_were_seen_and_how_others_are_told(exposed):
    folder, printed = exposed
    report = json.loads((folder / "report.json").read_text())
    about = weights.about(folder / "weights.safetensors")
    assert about["outliers"] == report["outliers"]
    assert about["outliers_sha256"] == report["outliers_sha256"]
    ((source, found),) = report["rejection"]["outliers"].items()
    assert report["outliers"][0]["name"] == source
    assert report["outliers"][0]["images"] + found["images"] == 40
    scores = weights.read(folder / run_files.HELD_OUT)[0]["scores"]
    assert report["rejection"]["threshold"] == rejection.threshold(scores)
    assert f"{found['accepted']:.1%} accepted (" in printed
    assert f"AUROC {found['auroc']:.3f}, {found['images']} images" in printed


def test_outliers_are_measured_though_the_recipe_leaves_them_out(exposed, tmp_path):
    recipe = dataclasses.replace(SHORT_SEED, epochs=1)
    sources = outliers_in(tmp_path / "stripes")
    run.train(recipe, "seed", DATA, tmp_path / "run", seed=3, outliers=sources)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert (report["outliers"], report["outliers_sha256"]) == ([], None)
    assert report["rejection"]["outliers"].keys() == {"stripes"}


def test_a_checkpoint_of_other_classes_is_not_continued(finished, tmp_path):
    recipe = dataclasses.replace(RECIPES["cnn", "continued"], epochs=1, teacher=None)
    with pytest.raises(weights.CheckpointError, match=r"other classes .* choose another --from"):
        run.train(recipe, "continued", DATA, tmp_path, seed=3)  # the shipped one
    before = finished[0] / "weights.safetensors"
    run.train(recipe, "continued", DATA, tmp_path, seed=3, start_from=before)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["start_from"] == weights.file_hash(before)


def test_weights_name_their_classes(finished):
    assert weights.about(finished[0] / "weights.safetensors")["class_names"] == ["dark", "bright"]


def test_overwriting_starts_over_and_keeps_other_files(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    before = (folder / "weights.safetensors").read_bytes()
    (folder / "thesis.txt").touch()
    run.train(SHORT_SEED, "seed", DATA, folder, seed=4, overwrite=True)
    assert json.loads((folder / "report.json").read_text())["seed"] == 4
    assert (folder / "weights.safetensors").read_bytes() != before
    assert (folder / "thesis.txt").exists()


def test_the_report_names_the_teacher_that_taught(finished, tmp_path, monkeypatch, capsys):
    """The file may have changed by the time that the report is written."""
    teacher = tmp_path / "teacher.safetensors"
    shutil.copy(finished[0] / "weights.safetensors", teacher)
    before = weights.file_hash(teacher)
    recipe = dataclasses.replace(
        RECIPES["cnn", "best"].without("branches"),
        epochs=1,
        restarts=(),
        batch_size=32,
        precision="float32",
        teacher="cnn",
    )
    fit = Training.fit

    def fit_then_replace(*arguments, **options):
        trained = fit(*arguments, **options)
        weights.save(simple_cnn(2), teacher)
        return trained

    monkeypatch.setattr(Training, "fit", fit_then_replace)
    run.train(recipe, "best", DATA, tmp_path / "run", seed=3, teachers=[teacher])
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["teacher"] == before != weights.file_hash(teacher)
    taught = json.loads((finished[0] / "report.json").read_text())["held_out"]["top1"]
    said = f"the teacher is right on {taught:.2%} of the held-out images"
    assert said in capsys.readouterr().out


def test_an_unusable_teacher_costs_no_finished_run(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    recipe = dataclasses.replace(RECIPES["cnn", "best"], epochs=1, teacher="resnet18")
    unnamed = tmp_path / "teacher.safetensors"  # so it is taken for a ResNet18
    weights.save(simple_cnn(2), unnamed)
    with pytest.raises(weights.CheckpointError, match="holds another network than resnet18"):
        run.train(recipe, "best", DATA, folder, seed=3, teachers=[unnamed], overwrite=True)
    assert {p.name for p in folder.iterdir()} == {p.name for p in finished[0].iterdir()}
