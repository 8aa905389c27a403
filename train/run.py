"""A training run in a folder: weights, history, report and plots.

runs/cnn-seed/
    checkpoint.safetensors   where an interrupted run goes on
    weights.safetensors      the deployed network, float32
    history.json             a row an epoch
    report.json              figures on held-out and test images, and how they came about
    curves.png, confusion.png
"""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edge_runtime.metrics import wilson_interval
from train import checkpoint, evaluation, weights
from train.architectures import NETWORKS
from train.atomic import replacing
from train.dataset import Dataset
from train.fit import fit
from train.recipes import RECIPES

WEIGHTS = "weights.safetensors"
HISTORY = "history.json"
REPORT = "report.json"
CURVES = "curves.png"
CONFUSION = "confusion.png"


class RunError(Exception):
    """A run's folder is not in the state that a command needs."""


def prepare(run_dir: Path, *, resume: bool, overwrite: bool) -> None:
    """Make sure that `run_dir` may be trained in.

    Raises:
        RunError: a run is there and neither `resume` nor `overwrite` says what to do with it.
    """
    if overwrite and not resume:
        for name in (checkpoint.FILE, WEIGHTS, HISTORY, REPORT, CURVES, CONFUSION):
            (run_dir / name).unlink(missing_ok=True)
    if (run_dir / REPORT).exists():
        raise RunError(f"{run_dir} holds a finished run; choose another --out, or --overwrite it.")
    if (run_dir / checkpoint.FILE).exists() and not resume:
        raise RunError(f"{run_dir} holds an interrupted run; --resume it, or --overwrite it.")


def train(network: str, recipe_name: str, data: Dataset, run_dir: Path, *, seed: int) -> str:
    """Train in `run_dir`, going on from its checkpoint, and return the report as text.

    Raises:
        CheckpointError: the checkpoint there is damaged, of another run, or cannot be written.
        OSError: another file could not be written.
    """
    recipe = RECIPES[network, recipe_name]
    classes = len(data.class_names)
    run_dir.mkdir(parents=True, exist_ok=True)  # if it cannot be made, better now than later
    model, state = fit(recipe, data.train, data.held_out, run_dir, classes=classes, seed=seed)
    held_out = evaluation.evaluate(model, data.held_out, classes)
    test = evaluation.evaluate(model, data.test, classes)

    weights.save(model, run_dir / WEIGHTS)
    _write_json(run_dir / HISTORY, state.history)
    title = f"{network}, recipe {recipe_name}"
    evaluation.plot_curves(state.history, run_dir / CURVES, title)
    evaluation.plot_confusion(
        test.confusion,
        data.class_names,
        run_dir / CONFUSION,
        f"{title}: {test.top1:.2%} of {test.images:,} test images",
    )
    report = {
        "network": network,
        "recipe_name": recipe_name,
        "recipe": asdict(recipe),
        "seed": seed,
        "parameters": model.count_params(),
        "class_names": list(data.class_names),
        "train_images": len(data.train),
        "epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "seconds": state.seconds,
        "held_out": held_out.as_json(data.class_names),
        "test": test.as_json(data.class_names),
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
    }
    _write_json(run_dir / REPORT, report)  # last: it marks the run as finished
    return summary(report)


def summary(report: dict[str, Any]) -> str:
    """Return a report's figures as a few lines for a person."""
    lines = [f"{report['network']}, recipe {report['recipe_name']}, {report['epochs']} epochs"]
    for split in ("held_out", "test"):
        figures = report[split]
        low, high = wilson_interval(figures["top1"], figures["images"])
        lines.append(
            f"{split.replace('_', '-'):>8}: top-1 {figures['top1']:.2%} "
            f"({low:.2%} to {high:.2%}), loss {figures['loss']:.3f}, {figures['images']:,} images"
        )
    for name, share in report["test"]["per_class"].items():
        lines.append(f"{name:>12} {share:.1%}")
    return "\n".join(lines)


def ship(run_dir: Path) -> Path:
    """Make a run's weights the checkpoint, float16, from which its network is exported.

    Raises:
        RunError: the run is not finished.
        CheckpointError: its weights are damaged, or the checkpoint cannot be written.
    """
    try:
        report = json.loads((run_dir / REPORT).read_text())
    except (OSError, ValueError) as exc:
        raise RunError(f"{run_dir} holds no finished run ({exc}); train it first.") from exc
    build = NETWORKS[report["network"]]
    model = build(len(report["class_names"]), **report["recipe"]["architecture"])
    weights.load(model, run_dir / WEIGHTS)
    about = {
        key: report[key]
        for key in ("network", "recipe_name", "recipe", "seed", "epochs", "class_names", "versions")
    }
    about |= {f"{split}_top1": report[split]["top1"] for split in ("held_out", "test")}
    path = weights.SHIPPED / f"{report['network']}.safetensors"
    weights.save(model, path, dtype="float16", about=about)
    return path


def _write_json(path: Path, value: Any) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n")
