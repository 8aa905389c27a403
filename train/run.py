"""A training run from recipe and data to a folder with weights, figures and a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from train import evaluation, plots, rejection, run_files, temperature, weights
from train.dataset import Dataset, digest
from train.fit import Training
from train.fit_outlier_head import OutlierHeadTraining
from train.outliers import Outliers
from train.recipe import Recipe
from train.report import about_weights, as_text
from train.run_files import (
    CONFUSION,
    CURVES,
    HELD_OUT,
    HISTORY,
    MISTAKES,
    RELIABILITY,
    REPORT,
    WEIGHTS,
)


def train(
    recipe: Recipe,
    recipe_name: str,
    data: Dataset,
    run_dir: Path,
    *,
    seed: int,
    start_from: Path | None = None,
    teachers: Sequence[Path] = (),
    outliers: Outliers = (),
    overwrite: bool = False,
) -> str:
    """Train in `run_dir`, resume if its checkpoint is there, and return the report as text.

    Args:
        start_from: see `train.fit.Training`; a recipe that continues or fine-tunes a checkpoint
            takes the shipped one by default.
        teachers: weights of the recipe's teacher; the shipped ones by default.
        outliers: the report says how they are told from the images; the network learns from them
            if the recipe takes any.
        overwrite: delete the run in `run_dir`, once every input has been loaded.

    Raises:
        CheckpointError: the checkpoint there is damaged or cannot be written; or `start_from` or
            one of `teachers` cannot be used.
        ResumeError: the checkpoint there belongs to another run.
        DivergedError: a loss is no longer a finite number.
        OSError: another file cannot be written.
    """
    if recipe.fine_tune or recipe.continues:
        start_from = start_from or weights.SHIPPED / f"{recipe.network}.safetensors"
    if recipe.continues and start_from:
        _check_classes(start_from, data.class_names, "choose another --from, or another --recipe")
    if recipe.teacher:
        teachers = teachers or (weights.SHIPPED / f"{recipe.teacher}.safetensors",)
    for teacher in teachers:
        remedy = "name a teacher of the same classes with --teacher, or use --recipe untaught"
        _check_classes(teacher, data.class_names, remedy)
    shared: dict[str, Any] = {
        "classes": len(data.class_names),
        "seed": seed,
        "start_from": start_from,
        "sources": outliers,
    }
    training: Training | OutlierHeadTraining
    if recipe.only_outlier_head:
        training = OutlierHeadTraining(recipe, data.train, data.held_out, **shared)
    else:
        training = Training(recipe, data.train, data.held_out, teachers=teachers, **shared)
    run_dir.mkdir(parents=True, exist_ok=True)  # fail before the training rather than after it
    if overwrite:
        run_files.clear(run_dir)
    model, state = training.fit(run_dir)

    uncalibrated: dict[str, Any] = {}
    fitted_temperature = None
    if recipe.calibrate:
        fitted_temperature, uncalibrated = _calibrate(model, data)
    scores = {
        "held_out": evaluation.predict(model, data.held_out.images),
        "test": evaluation.predict(model, data.test.images),
    }
    figures = {
        "held_out": evaluation.of_scores(scores["held_out"], data.held_out),
        "test": evaluation.of_scores(scores["test"], data.test),
    }
    told_apart = None
    if outliers:
        told_apart = rejection.figures(
            scores["held_out"],
            scores["test"],
            {s.name: evaluation.predict(model, s.validation) for s in outliers},
        )
    report = {
        "network": recipe.network,
        "recipe_name": recipe_name,
        "recipe": asdict(recipe),
        "seed": seed,
        "teacher": training.identity.get("teacher"),
        "start_from": training.identity.get("start_from"),
        "parameters": model.count_params(),
        "class_names": list(data.class_names),
        "train_images": len(data.train),
        "outliers": [source.about() for source in outliers] if recipe.takes_outliers else [],
        "outliers_sha256": training.identity.get("outliers"),
        "rejection": told_apart,
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "seconds": state.seconds,
        "data_seconds": sum(row["data_seconds"] for row in state.history),
        "temperature": fitted_temperature,
        "uncalibrated": uncalibrated,
        **{split: found.as_json(data.class_names) for split, found in figures.items()},
        "versions": {name: version(name) for name in (keras.backend.backend(), "keras", "numpy")},
    }
    # The report marks a run as finished: the old one goes before its weights, the new one comes
    # last.
    (run_dir / REPORT).unlink(missing_ok=True)
    weights.save(model, run_dir / WEIGHTS, about=about_weights(report))
    run_files.write_json(run_dir / HISTORY, state.history)
    weights.write(
        run_dir / HELD_OUT,
        {"scores": scores["held_out"], "labels": data.held_out.labels},
        {"images": digest(data.held_out)},
    )
    title = f"{recipe.network}, recipe {recipe_name}"
    plots.curves({recipe_name: state.history}, run_dir / CURVES, title)
    _draw_test_figures(run_dir, title, data, scores["test"], figures["test"])
    run_files.write_json(run_dir / REPORT, report)
    return as_text(report)


def _check_classes(checkpoint: Path, class_names: Sequence[str], remedy: str) -> None:
    """Make sure that a checkpoint knows the classes of the data, and those alone.

    Raises:
        CheckpointError: it knows others, or its file is missing or damaged.
    """
    known = weights.about(checkpoint).get("class_names", class_names)
    if list(known) != list(class_names):
        raise weights.CheckpointError(
            f"{checkpoint} was trained on other classes than the data has ({', '.join(known)}); "
            f"{remedy}."
        )


def _calibrate(model: keras.Model, data: Dataset) -> tuple[float | None, dict[str, Any]]:
    """Fold a temperature into a network.

    Returns:
        The temperature, and the figures that it changes as they were before. Both are empty, and
        the network stays as it is, if the held-out images do not determine a temperature.
    """
    scores = evaluation.predict(model, data.held_out.images)
    before = {
        "held_out": evaluation.of_scores(scores, data.held_out),
        "test": evaluation.evaluate(model, data.test),
    }
    fitted = temperature.fit(scores, data.held_out.labels)
    if fitted is None:
        return None, {}
    temperature.fold(model, fitted)
    return fitted, {
        split: {"loss": figures.loss, "calibration_error": figures.calibration_error}
        for split, figures in before.items()
    }


def _draw_test_figures(
    run_dir: Path, title: str, data: Dataset, scores: NDArray, found: evaluation.Evaluation
) -> None:
    names = data.class_names
    title = f"{title}: {found.top1:.2%} of {found.images:,} test images"
    plots.confusion(found.confusion, names, run_dir / CONFUSION, title)
    plots.reliability(scores, data.test.labels, run_dir / RELIABILITY, title)
    plots.mistakes(data.test, scores, names, run_dir / MISTAKES, f"{title}, its worst mistakes")
