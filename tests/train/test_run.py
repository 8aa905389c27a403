"""A run's folder from start to finish, on a small data set, and the command's refusals."""

import dataclasses
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from edge_runtime.support.metrics import drop_interval
from tests.conftest import ROOT, run
from tests.train.conftest import command
from tests.train.test_fit import split
from tests.train.test_folder import make
from train import evaluation, temperature, weights
from train import run as runs
from train.architectures import simple_cnn
from train.dataset import Dataset
from train.recipes import RECIPES

HELD_OUT = split(64, 1)
HELD_OUT.labels[:4] = 1 - HELD_OUT.labels[:4]  # or there would be nothing to calibrate
DATA = Dataset(split(256, 0), HELD_OUT, split(96, 2), ("dark", "bright"))
RECIPE = dataclasses.replace(RECIPES["cnn", "seed"], epochs=2, batch_size=32)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of two epochs: (folder, the printed summary)."""
    folder = tmp_path_factory.mktemp("runs") / "cnn-seed"
    return folder, runs.train(RECIPE, "seed", DATA, folder, seed=3)


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A finished run of the best recipe, two epochs, whose scores were calibrated."""
    folder = tmp_path_factory.mktemp("runs") / "cnn-untaught"
    recipe = dataclasses.replace(
        RECIPES["cnn", "untaught"], epochs=2, batch_size=32, precision="float32"
    )
    return folder, runs.train(recipe, "untaught", DATA, folder, seed=3)


def test_everything_is_written(finished):
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
    for name in runs.FIGURES:
        with Image.open(folder / name) as plot:
            assert min(plot.size) > 300
            assert len(np.unique(np.asarray(plot.convert("L")))) > 20


def test_the_report_holds_what_the_weights_reach(finished):
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


def test_evaluation_against_keras_s_own(finished):
    folder, _ = finished
    model = simple_cnn(2)
    weights.load(model, folder / "weights.safetensors")
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    loss, accuracy = model.evaluate(DATA.test.images / 255.0, DATA.test.labels, verbose=0)
    ours = evaluation.evaluate(model, DATA.test)
    assert ours.loss == pytest.approx(loss, rel=1e-5)
    assert ours.top1 == pytest.approx(accuracy)


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
    recipe = dataclasses.replace(
        RECIPES["cnn", "untaught"], epochs=2, batch_size=32, precision="float32"
    )
    few = dataclasses.replace(DATA, held_out=split(10, 1))
    text = runs.train(recipe, "untaught", few, tmp_path, seed=3)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["held_out"]["top1"] == 1
    assert (report["temperature"], report["uncalibrated"]) == (None, {})
    assert "not calibrated: 10 held-out images are too few to fit a temperature" in text


@pytest.mark.parametrize(
    ("images", "right", "why"),
    [
        (49, 0.9, "49 held-out images are too few"),
        (2500, 1.0, "all 2,500 held-out images are classified right"),
        (2500, 0.1, "no temperature from 1/10 to 10 makes them right"),
    ],
)
def test_why_scores_are_not_calibrated(calibrated, images, right, why):
    report = json.loads((calibrated[0] / "report.json").read_text())
    held_out = report["held_out"] | {"images": images, "top1": right}
    text = runs.summary(report | {"temperature": None, "held_out": held_out})
    assert f"scores are not calibrated: {why}" in text


def test_the_seed_s_scores_are_left_as_they_are(finished):
    report = json.loads((finished[0] / "report.json").read_text())
    assert (report["temperature"], report["uncalibrated"]) == (None, {})


def test_compare_prints_and_draws_runs_side_by_side(finished, calibrated, tmp_path):
    out = tmp_path / "compare.png"
    result = command("compare", finished[0], calibrated[0], "--out", out)
    assert (result.exit_code, result.stderr) == (0, "")
    table = result.stdout.splitlines()
    assert len(table) == 4
    for line, (folder, _) in zip(table[1:3], (finished, calibrated), strict=True):
        report = json.loads((folder / "report.json").read_text())
        assert line.startswith(str(folder))
        assert f"{report['test']['top1']:.2%}" in line
    right = []
    for folder, _ in (finished, calibrated):
        model = simple_cnn(2)
        weights.load(model, folder / "weights.safetensors")
        right.append(evaluation.predict(model, DATA.held_out.images).argmax(axis=1))
    right = np.array(right) == DATA.held_out.labels
    gained, lost = np.sum(right[1] > right[0]), np.sum(right[0] > right[1])
    low, high = (100 * bound for bound in drop_interval(gained, lost, 64))
    gain = 100 * (right[1].mean() - right[0].mean())
    assert table[2].endswith(f"%  {gain:+.2f} ({low:+.2f} to {high:+.2f})")
    assert table[3] == f"{out}: curves of 2 runs"
    with Image.open(out) as plot:
        assert min(plot.size) > 300


def test_runs_whose_held_out_images_differ_are_not_compared_on_them(finished, tmp_path):
    other, older = tmp_path / "other", tmp_path / "older"
    for folder in (other, older):
        shutil.copytree(finished[0], folder)
    tensors, _ = weights.read(other / runs.HELD_OUT)
    weights.write(other / runs.HELD_OUT, tensors, {"images": "of other ones, equally labelled"})
    (older / runs.HELD_OUT).unlink()
    result = command("compare", finished[0], other, older, "--out", tmp_path / "compare.png")
    assert [line.split()[-1] for line in result.stdout.splitlines()[2:4]] == ["-", "-"]


def test_the_curves_are_a_png_whatever_the_file_is_called(finished, tmp_path):
    result = command("compare", finished[0], "--out", tmp_path / "curves.v2")
    assert (result.exit_code, result.stderr) == (0, "")
    with Image.open(tmp_path / "curves.v2") as plot:
        assert plot.format == "PNG"


def test_compare_needs_finished_runs(finished, tmp_path):
    result = command("compare", finished[0], tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"train: {tmp_path} holds no finished run")


def test_finished_and_interrupted_runs_are_kept(finished, tmp_path):
    folder, _ = finished
    with pytest.raises(runs.RunError, match="finished run; choose another --out"):
        runs.check(folder, RECIPE, resume=True)
    longer = dataclasses.replace(RECIPE, epochs=3)
    with pytest.raises(runs.RunError, match="finished run; choose another --out"):
        runs.check(folder, longer, resume=False)
    runs.check(folder, longer, resume=True)  # its checkpoint has the last word
    with pytest.raises(weights.CheckpointError, match="run with other epochs;"):
        runs.train(longer, "seed", DATA, folder, seed=3)
    assert (folder / "report.json").exists()
    bare = tmp_path / "bare"
    shutil.copytree(folder, bare)
    (bare / "checkpoint.safetensors").unlink()
    with pytest.raises(runs.RunError, match="finished run; choose another --out"):
        runs.check(bare, longer, resume=True)
    (tmp_path / "checkpoint.safetensors").touch()
    with pytest.raises(runs.RunError, match="interrupted run; --resume it"):
        runs.check(tmp_path, RECIPE, resume=False)
    runs.check(tmp_path, RECIPE, resume=True)
    assert (tmp_path / "checkpoint.safetensors").exists()


def test_overwriting_starts_anew_and_spares_what_is_no_run(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    before = (folder / "weights.safetensors").read_bytes()
    (folder / "thesis.txt").touch()
    runs.train(RECIPE, "seed", DATA, folder, seed=4, overwrite=True)
    assert json.loads((folder / "report.json").read_text())["seed"] == 4
    assert (folder / "weights.safetensors").read_bytes() != before
    assert (folder / "thesis.txt").exists()


def test_two_trainings_do_not_share_a_folder(tmp_path):
    data = make(tmp_path / "data", per_class=2, test=1)
    arguments = (
        "cnn",
        "--recipe",
        "seed",
        "--epochs",
        "1",
        "--data",
        data,
        "--out",
        tmp_path / "a",
    )
    with runs.alone(tmp_path / "a"):
        result = command(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    expected = f"Another process is training in {tmp_path / 'a'}; choose another --out."
    assert result.stderr == f"train: {expected}\n"
    assert command(*arguments).exit_code == 0


def test_a_training_that_diverges_ends_with_the_epoch(tmp_path, monkeypatch):
    wild = dataclasses.replace(RECIPES["cnn", "untaught"], learning_rate=1e30)
    monkeypatch.setitem(RECIPES, ("cnn", "untaught"), wild)
    data = make(tmp_path / "data", per_class=40, test=1)
    options = ("--recipe", "untaught", "--precision", "float32", "--data", data)
    result = command("cnn", *options, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "train: The training diverged in epoch 1: its loss is no number"
    )
    assert list((tmp_path / "run").iterdir()) == []


def test_the_report_names_the_teacher_that_taught(finished, tmp_path, monkeypatch):
    """Which may be another file by the time that the report is written."""
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
    fit = runs.fit

    def then_replace(*arguments, **options):
        trained = fit(*arguments, **options)
        weights.save(simple_cnn(2), teacher)
        return trained

    monkeypatch.setattr(runs, "fit", then_replace)
    runs.train(recipe, "best", DATA, tmp_path / "run", seed=3, teacher=teacher)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["teacher"] == before != weights.file_hash(teacher)


@pytest.mark.parametrize(
    ("network", "option", "message"),
    [
        ("cnn", "--teacher", "There is no checkpoint typo.safetensors"),
        ("resnet18", "--weights", "typo.safetensors cannot be read"),
    ],
)
def test_a_mistyped_option_costs_no_finished_run(finished, tmp_path, network, option, message):
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    data = make(tmp_path / "data", per_class=2, test=1)
    arguments = ("--data", data, "--out", folder, "--overwrite", option, "typo.safetensors")
    result = command(network, *arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert {p.name for p in folder.iterdir()} == {p.name for p in finished[0].iterdir()}


def test_weights_that_are_no_teacher_s_cost_no_finished_run(finished, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished[0], folder)
    recipe = dataclasses.replace(RECIPES["cnn", "best"], epochs=1, teacher="resnet18")
    with pytest.raises(weights.CheckpointError, match="holds another network than resnet18"):
        of_cnn = finished[0] / "weights.safetensors"
        runs.train(recipe, "best", DATA, folder, seed=3, teacher=of_cnn, overwrite=True)
    assert {p.name for p in folder.iterdir()} == {p.name for p in finished[0].iterdir()}


def test_shipping_keeps_the_weights_and_says_where_they_come_from(finished, tmp_path, monkeypatch):
    folder, _ = finished
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    path = runs.ship(folder)
    assert path == tmp_path / "cnn.safetensors"
    shipped, trained = simple_cnn(2), simple_cnn(2)
    about = weights.load(shipped, path)
    weights.load(trained, folder / "weights.safetensors")
    assert (about["recipe_name"], about["seed"]) == ("seed", 3)
    assert about["class_names"] == ["dark", "bright"]
    assert (about["teacher"], about["start_from"]) == (None, None)
    for expected, actual in zip(trained.get_weights(), shipped.get_weights(), strict=True):
        np.testing.assert_array_equal(actual, expected.astype(np.float16).astype(np.float32))


def test_what_ships_is_not_replaced_by_another_network(finished, tmp_path, monkeypatch):
    result = command("ship", finished[0])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        f"train: {finished[0]} has other classes than the shipped cnn; export it by itself, with "
        f"--checkpoint {finished[0] / 'weights.safetensors'}.\n"
    )
    monkeypatch.setattr(weights, "SHIPPED", tmp_path)
    about = {"class_names": ["dark", "bright"], "recipe": {"architecture": {"stem": "imagenet"}}}
    weights.save(simple_cnn(2), tmp_path / "cnn.safetensors", about=about)
    with pytest.raises(runs.RunError, match="has other layers than the shipped cnn"):
        runs.ship(finished[0])


def test_shipping_needs_a_finished_run(tmp_path):
    result = command("ship", tmp_path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"train: {tmp_path} holds no finished run")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--data", "nope"], 1, "--data names nope, which does not exist"),
        (["--recipe", "magic"], 2, "'magic' is not one of 'seed', 'best'"),
        (["--epochs", "0"], 2, "0 is not in the range"),
        (["--without", "cutout"], 2, "this recipe has no cutout to leave out"),
        (["--precision", "int4"], 2, "'int4' is not one of 'auto', 'float32', 'bfloat16'"),
        (["--seed", "-1"], 2, "-1 is not in the range"),
        (["--resume", "--overwrite"], 2, "expected --resume or --overwrite, but got both"),
        (["--recipe", "seed", "--teacher", "x"], 2, "--teacher: seed has no teacher"),
    ],
)
def test_wrong_arguments(tmp_path, arguments, code, message):
    result = command("cnn", "--out", tmp_path / "run", *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--recipe", "untaught"], 2, "--recipe: resnet18 has the recipes seed, best"),
        (["--sha256", "0" * 64], 2, "it says what the file of --weights must have"),
        (["--weights", "nope.safetensors"], 1, "nope.safetensors cannot be read"),
    ],
)
def test_wrong_arguments_of_resnet18(tmp_path, arguments, code, message):
    data = make(tmp_path / "data", per_class=2, test=1)
    result = command("resnet18", "--out", tmp_path / "run", "--data", data, *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert not (tmp_path / "run").exists()


def test_the_shipped_teacher_teaches_its_own_classes_alone(tmp_path):
    data = make(tmp_path / "data", per_class=2, test=1)
    result = command("cnn", "--out", tmp_path / "run", "--data", data)
    assert result.exit_code == 1
    assert "tells other classes apart than the data's (airplane, " in result.stderr
    assert result.stderr.endswith("with --teacher, or take --recipe untaught.\n")


def test_a_run_s_weights_name_their_classes(finished):
    assert weights.about(finished[0] / "weights.safetensors")["class_names"] == ["dark", "bright"]


def test_kill_9_and_resume_ends_with_the_very_weights(tmp_path):
    """The process is really killed, at a moment that depends on the machine's speed."""
    data = make(tmp_path / "data", per_class=40)
    arguments = ["-m", "train", "cnn", "--recipe", "seed", "--epochs", "8", "--data", data]
    whole = run(*arguments, "--out", tmp_path / "whole", cwd=ROOT)
    assert whole.returncode == 0, whole.stderr

    cut = tmp_path / "cut"
    process = subprocess.Popen(
        [sys.executable, *arguments, "--out", cut], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    for line in process.stdout:
        if line.startswith("epoch 2"):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    assert not (cut / "report.json").exists()
    last = run(*arguments, "--out", cut, "--resume", cwd=ROOT)
    assert last.returncode == 0, last.stderr
    assert "resuming after epoch " in last.stdout
    name = "weights.safetensors"
    assert (cut / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_shipped_checkpoint_is_the_deployed_network():
    model = simple_cnn()
    about = weights.load(model, weights.SHIPPED / "cnn.safetensors")
    assert about["network"] == "cnn"
    assert about["class_names"][3] == "cat"
    assert model.count_params() == 551_466


@pytest.mark.parametrize(
    ("arguments", "trainable", "others"),
    [
        (["cnn"], "551,018", "448"),
        (["resnet18"], "11,173,962", "9,600"),
        (["resnet18", "--stem", "imagenet"], "11,181,642", "9,600"),
    ],
)
def test_summary_prints_both_counts(arguments, trainable, others):
    result = command("summary", *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith(f" parameters: {trainable} trainable, {others} not\n")


def test_the_cnn_has_no_stem_to_choose():
    result = command("summary", "cnn", "--stem", "imagenet")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--stem: cnn has no other stem" in result.stderr
