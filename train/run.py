"""A training run in a folder: weights, history, report and figures.

runs/cnn-seed/
    checkpoint.safetensors   where an interrupted run goes on
    teacher-N.npy            a teacher's scores of view N, only with a limited number of views
    weights.safetensors      the deployed network, float32
    history.json             a row an epoch
    report.json              figures on held-out and test images, and how they came about
    held-out.safetensors     scores, float32 (N, classes), and labels, uint8 (N,), to compare with
    curves.png, confusion.png, reliability.png, mistakes.png
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras

from edge_runtime.support.files import replacing
from edge_runtime.support.metrics import discordant, drop_interval, wilson_interval
from train import checkpoint, evaluation, plots, temperature, weights
from train.architectures import NETWORKS
from train.dataset import Dataset, digest
from train.fit import fit
from train.recipes import Recipe

WEIGHTS = "weights.safetensors"
HISTORY = "history.json"
REPORT = "report.json"
HELD_OUT = "held-out.safetensors"
FIGURES = ("curves.png", "confusion.png", "reliability.png", "mistakes.png")


class RunError(Exception):
    """A run's folder is not in the state that a command needs."""


def check(run_dir: Path, recipe: Recipe, *, resume: bool) -> None:
    """Make sure that `run_dir` may be trained in without deleting anything.

    A finished run may be resumed where the recipe is not the one that it was finished with:
    whether the new one goes on from there, as with another cycle, its checkpoint tells.

    Raises:
        RunError: a run is there that `resume` does not go on with.
    """
    if (run_dir / REPORT).exists() and not (
        resume
        and (run_dir / checkpoint.FILE).exists()
        and _read_report(run_dir)["recipe"] != json.loads(json.dumps(asdict(recipe)))
    ):
        raise RunError(f"{run_dir} holds a finished run; choose another --out, or --overwrite it.")
    if (run_dir / checkpoint.FILE).exists() and not resume:
        raise RunError(f"{run_dir} holds an interrupted run; --resume it, or --overwrite it.")


@contextmanager
def alone(run_dir: Path) -> Iterator[None]:
    """Keep other processes from training in a folder, which is made where it is missing.

    Raises:
        RunError: one is training there already.
        OSError: the folder cannot be made.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # not every system has it
        yield
        return
    descriptor = os.open(run_dir, os.O_RDONLY)
    try:
        with suppress(OSError):  # nor does every file system
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunError(
                    f"Another process is training in {run_dir}; choose another --out."
                ) from None
        yield
    finally:
        os.close(descriptor)


def _clear(run_dir: Path) -> None:
    """Delete a run, but for its teacher's scores, which `fit` takes from no unknown run."""
    for name in (checkpoint.FILE, WEIGHTS, HISTORY, REPORT, HELD_OUT, *FIGURES):
        (run_dir / name).unlink(missing_ok=True)


def train(
    recipe: Recipe,
    recipe_name: str,
    data: Dataset,
    run_dir: Path,
    *,
    seed: int,
    start_from: Path | None = None,
    teacher: Path | None = None,
    overwrite: bool = False,
) -> str:
    """Train in `run_dir`, going on from its checkpoint, and return the report as text.

    Args:
        start_from: see `train.fit.fit`.
        teacher: weights of the recipe's teacher, the shipped ones unless named.
        overwrite: delete the run that is there, once all that was given is found usable.

    Raises:
        CheckpointError: the checkpoint there is damaged, of another run, or cannot be written; or
            the other weights cannot be used.
        OSError: another file could not be written.
    """
    if recipe.teacher:
        teacher = teacher or weights.SHIPPED / f"{recipe.teacher}.safetensors"
        _check_teacher(teacher, data.class_names)
    run_dir.mkdir(parents=True, exist_ok=True)  # if it cannot be made, better now than later
    # Now, for after the training these may be other files.
    begun_with = {
        "teacher": teacher and weights.file_hash(teacher),
        "start_from": start_from and weights.file_hash(start_from),
    }
    model, state = fit(
        recipe,
        data.train,
        data.held_out,
        run_dir,
        classes=len(data.class_names),
        seed=seed,
        start_from=start_from,
        teacher=teacher,
        begin=partial(_clear, run_dir) if overwrite else lambda: None,
    )
    uncalibrated: dict[str, Any] = {}
    degree = None
    if recipe.calibrate:
        degree, uncalibrated = _calibrate(model, data)
    scores = evaluation.predict(model, data.test.images)
    held_out_scores = evaluation.predict(model, data.held_out.images)
    held_out = evaluation.of_scores(held_out_scores, data.held_out)
    test = evaluation.of_scores(scores, data.test)

    names = data.class_names
    report = {
        "network": recipe.network,
        "recipe_name": recipe_name,
        "recipe": asdict(recipe),
        "seed": seed,
        **begun_with,
        "parameters": model.count_params(),
        "class_names": list(names),
        "train_images": len(data.train),
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "seconds": state.seconds,
        "data_seconds": sum(row["data_seconds"] for row in state.history),
        "temperature": degree,
        "uncalibrated": uncalibrated,
        "held_out": held_out.as_json(names),
        "test": test.as_json(names),
        "versions": {name: version(name) for name in (keras.backend.backend(), "keras", "numpy")},
    }
    (run_dir / REPORT).unlink(missing_ok=True)  # before its weights are replaced
    weights.save(model, run_dir / WEIGHTS, about=_about(report))
    _write_json(run_dir / HISTORY, state.history)
    weights.write(
        run_dir / HELD_OUT,
        {"scores": held_out_scores, "labels": data.held_out.labels},
        {"images": digest(data.held_out)},
    )
    title = f"{recipe.network}, recipe {recipe_name}"
    on_test = f"{title}: {test.top1:.2%} of {test.images:,} test images"
    plots.curves({recipe_name: state.history}, run_dir / FIGURES[0], title)
    plots.confusion(test.confusion, names, run_dir / FIGURES[1], on_test)
    plots.reliability(scores, data.test.labels, run_dir / FIGURES[2], on_test)
    plots.mistakes(data.test, scores, names, run_dir / FIGURES[3], f"{on_test}, its worst mistakes")
    _write_json(run_dir / REPORT, report)  # last: it marks the run as finished
    return summary(report)


def _check_teacher(teacher: Path, class_names: Sequence[str]) -> None:
    known = weights.about(teacher).get("class_names", class_names)
    if list(known) != list(class_names):
        raise weights.CheckpointError(
            f"{teacher} tells other classes apart than the data's ({', '.join(known)}); name a "
            f"teacher of theirs with --teacher, or take --recipe untaught."
        )


def _calibrate(model: keras.Model, data: Dataset) -> tuple[float | None, dict[str, Any]]:
    """Fold a temperature in; return it, and the figures that it changes as they were before.

    There is none where the held-out images do not tell it; then nothing changes.
    """
    scores = evaluation.predict(model, data.held_out.images)
    before = {
        "held_out": evaluation.of_scores(scores, data.held_out),
        "test": evaluation.evaluate(model, data.test),
    }
    degree = temperature.fit(scores, data.held_out.labels)
    if degree is None:
        return None, {}
    temperature.fold(model, degree)
    return degree, {
        split: {"loss": figures.loss, "calibration_error": figures.calibration_error}
        for split, figures in before.items()
    }


def summary(report: dict[str, Any]) -> str:
    """Return a report's figures as a few lines for a person."""
    lines = [f"{report['network']}, recipe {report['recipe_name']}, {report['epochs']} epochs"]
    for split in ("held_out", "test"):
        figures = report[split]
        low, high = wilson_interval(figures["top1"], figures["images"])
        lines.append(
            f"{split.replace('_', '-'):>8}: top-1 {figures['top1']:.2%} "
            f"({low:.2%} to {high:.2%}), loss {figures['loss']:.3f}, "
            f"calibration error {figures['calibration_error']:.2%}, {figures['images']:,} images"
        )
    gap = report["held_out"]["top1"] - report["test"]["top1"]
    lines.append(f"     gap: {100 * gap:+.2f} points, held-out over test")
    if report["temperature"] is not None:
        before = report["uncalibrated"]["test"]
        lines.append(
            f"temperature {report['temperature']:.3f}; without it loss {before['loss']:.3f}, "
            f"calibration error {before['calibration_error']:.2%} on the test images"
        )
    elif report["recipe"]["calibrate"]:
        lines.append(f"scores are not calibrated: {_why_not_calibrated(report)}")
    lines.append(
        f"{report['seconds'] / 60:.0f} min, "
        f"{report['data_seconds'] / report['seconds']:.1%} of it for the data pipeline"
    )
    for name, share in report["test"]["per_class"].items():
        lines.append(f"{name:>12} {share:.1%}")
    for pair in report["test"]["most_confused"]:
        lines.append(f"{' and '.join(pair['classes'])} are confused {pair['images']} times")
    return "\n".join(lines)


def _why_not_calibrated(report: dict[str, Any]) -> str:
    held_out = report["held_out"]
    if held_out["images"] < temperature.FEWEST:
        return f"{held_out['images']} held-out images are too few to fit a temperature"
    if held_out["top1"] == 1.0:
        return f"all {held_out['images']:,} held-out images are classified right"
    return "no temperature from 1/10 to 10 makes them right, as of a network that learned nothing"


def ship(run_dir: Path) -> Path:
    """Make a run's weights the checkpoint, float16, from which its network is exported.

    Raises:
        RunError: the run is not finished, or is of other classes or layers than what ships.
        CheckpointError: its weights are damaged, or the checkpoint cannot be written.
    """
    report = _read_report(run_dir)
    path = weights.SHIPPED / f"{report['network']}.safetensors"
    if path.exists():
        _check_fits(report, weights.about(path), run_dir)
    build = NETWORKS[report["network"]]
    model = build(len(report["class_names"]), **report["recipe"]["architecture"])
    weights.load(model, run_dir / WEIGHTS)
    weights.save(model, path, dtype="float16", about=_about(report))
    return path


def _about(report: dict[str, Any]) -> dict[str, Any]:
    """Return what a run's weights say of themselves: no time or place, so that equal runs agree."""
    about = {
        key: report.get(key)  # what an older run does not say is None
        for key in (
            "network",
            "recipe_name",
            "recipe",
            "seed",
            "teacher",
            "start_from",
            "epochs",
            "temperature",
            "class_names",
            "versions",
        )
    }
    return about | {f"{split}_top1": report[split]["top1"] for split in ("held_out", "test")}


def _check_fits(report: dict[str, Any], shipped: dict[str, Any], run_dir: Path) -> None:
    """Refuse a run that could not take the place of what ships."""
    for what, one, other in (
        ("classes", report["class_names"], shipped["class_names"]),
        (
            "layers",
            report["recipe"]["architecture"],
            shipped["recipe"].get("architecture", {}),
        ),
    ):
        if one != other:
            raise RunError(
                f"{run_dir} has other {what} than the shipped {report['network']}; export it by "
                f"itself, with --checkpoint {run_dir / WEIGHTS}."
            )


def compare(run_dirs: Sequence[Path], out: Path) -> str:
    """Draw the curves of several runs into one figure, and return their reports as a table.

    Its last column is what a run gained over the first on the same held-out images, in points,
    with the paired 95 % interval; "-" where their images differ or a run did not keep its scores.

    Raises:
        RunError: one of the runs is not finished.
        OSError: the figure cannot be written.
    """
    reports = [_read_report(run_dir) for run_dir in run_dirs]
    histories = {str(run_dir): json.loads((run_dir / HISTORY).read_text()) for run_dir in run_dirs}
    width = max(len(str(run_dir)) for run_dir in run_dirs)
    lines = [
        f"{'run':<{width}}  epochs  minutes  held-out    test  gap     loss  calibration error  "
        f"held-out, against the first"
    ]
    for run_dir, report in zip(run_dirs, reports, strict=True):
        held_out, test = report["held_out"], report["test"]
        lines.append(
            f"{run_dir!s:<{width}}  {report['epochs']:>6}  {report['seconds'] / 60:>7.1f}  "
            f"{held_out['top1']:>8.2%}  {test['top1']:>6.2%}  "
            f"{100 * (held_out['top1'] - test['top1']):+5.2f}  {test['loss']:>6.3f}  "
            f"{test['calibration_error']:>17.2%}  "
            f"{'' if run_dir == run_dirs[0] else _gain(run_dirs[0], run_dir)}".rstrip()
        )
    plots.curves(histories, out, "runs compared")
    return "\n".join(lines)


def _gain(first: Path, second: Path) -> str:
    """Return by how many points `second` is more often right, with its paired interval."""
    try:
        (one, of_one), (other, of_other) = (
            weights.read(run_dir / HELD_OUT) for run_dir in (first, second)
        )
    except weights.CheckpointError:
        return "-"
    if of_one != of_other:
        return "-"
    labels = one["labels"]
    gained, lost = discordant(other["scores"], one["scores"], labels)
    low, high = drop_interval(gained, lost, len(labels))
    gain = (gained - lost) / len(labels)
    return f"{100 * gain:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})"


def _read_report(run_dir: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads((run_dir / REPORT).read_text())
    except (OSError, ValueError) as exc:
        raise RunError(f"{run_dir} holds no finished run ({exc}); train it first.") from exc
    return report


def _write_json(path: Path, value: Any) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")
