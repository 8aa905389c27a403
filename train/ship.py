"""Make the weights of a run the checkpoint from which its network is exported."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from train import evaluation, weights
from train.data import load, location
from train.dataset import Split, digest
from train.networks import NETWORKS
from train.report import about_weights
from train.run_files import HELD_OUT, WEIGHTS, RunError, read_report


def ship_run(
    run_dir: Path,
    data: Path | None = None,
    *,
    accept_loss: bool = False,
    say: Callable[[str], object] = print,
) -> Path:
    """Write a run's weights, as float16, over the shipped checkpoint; return that file.

    If there is a shipped checkpoint, both networks classify the run's held-out images first. Of a
    run that trained an outlier head alone, the head alone is written, to a file beside the network.
    A network's old head is deleted when another network is shipped, because it does not fit.

    Args:
        data: the data that the run was trained with, see `train.data.load`.
        accept_loss: ship the run even if it classifies fewer of the images right.
        say: takes the figures of both, a line each.

    Raises:
        RunError: the run is not finished, has other classes or layers than the shipped network, was
            trained with other data, or is less accurate.
        DataError: the data cannot be read.
        CheckpointError: the weights are damaged, or the checkpoint cannot be written.
    """
    report = read_report(run_dir)
    if report["network"] not in NETWORKS:
        raise RunError(f"{run_dir} has trained {report['network']}, which this version lacks.")
    path = network = weights.SHIPPED / f"{report['network']}.safetensors"
    head_alone = report["recipe"].get("only_outlier_head", False)
    if head_alone:
        path = weights.SHIPPED / f"{report['network']}{weights.OUTLIER_HEAD}.safetensors"
        if not network.exists() or report["start_from"] != weights.file_hash(network):
            raise RunError(
                f"{run_dir} is a head of another network than {network}; train it without --from."
            )
    shipped = path if path.exists() and weights.fits(path) else network
    if path == shipped and path.exists():
        _check_fits(report, weights.about(path), run_dir)
    if path.parent.exists() and not os.access(path.parent, os.W_OK):
        raise RunError(f"{path} cannot be written; check the permissions of its folder.")
    model = _load(report, run_dir / WEIGHTS)
    # As they are shipped, because it is these that are compared.
    model.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])
    if shipped.exists():
        images = _held_out(run_dir, data)
        say(f"on the {len(images):,} images of {_named(data)} that the run held out:")
        found = _compare(report, _load(report, shipped), model, images, run_dir, say)
        if found.top1 < 0 and not accept_loss:
            raise RunError(
                f"{run_dir} is less accurate than the shipped {report['network']}, which was kept; "
                f"add --accept-loss to ship the run nevertheless."
            )
    about, extends = about_weights(report), None
    if head_alone:
        about, extends = _of_both(weights.about(network), about), network
    weights.save(model, path, dtype="float16", about=about, extends=extends)
    head = weights.exported(report["network"])
    if head != network and not weights.fits(head):
        head.unlink()
        say(f"{head} fitted the network before and is deleted; train one with outlier-head")
    return path


def _of_both(network: dict[str, Any], head: dict[str, Any]) -> dict[str, Any]:
    """Return what a network with a head says about itself: the network, and how its head came."""
    recipe = network["recipe"] | {"architecture": head["recipe"]["architecture"]}
    kept = ("recipe_name", "epochs", "seed", "outliers", "outliers_sha256")
    return network | {"recipe": recipe, "outlier_head": {key: head[key] for key in kept}}


def _load(report: dict[str, Any], path: Path) -> keras.Model:
    recipe = weights.about(path).get("recipe", report["recipe"])
    model = NETWORKS[report["network"]].build(len(report["class_names"]), **recipe["architecture"])
    weights.load(model, path)
    return model


def _held_out(run_dir: Path, data: Path | None) -> Split:
    """Return the run's held-out images.

    Raises:
        RunError: the run does not say which they were, or the data has others.
    """
    if not (run_dir / HELD_OUT).is_file():
        raise RunError(
            f"{run_dir} lacks {HELD_OUT}, which tells its held-out images; train it again to "
            f"compare it with the shipped network."
        )
    wanted = weights.read(run_dir / HELD_OUT)[1].get("images")
    found = load(data).held_out
    if digest(found) != wanted:
        raise RunError(
            f"{run_dir} was trained with other held-out images than {_named(data)} has; name the "
            f"run's data with --data."
        )
    return found


def _compare(
    report: dict[str, Any],
    shipped: keras.Model,
    own: keras.Model,
    images: Split,
    run_dir: Path,
    say: Callable[[str], object],
) -> evaluation.Gain:
    """Say how accurate the shipped network and a run's are on the same images."""
    scores = [evaluation.predict(model, images.images) for model in (shipped, own)]
    names = (f"shipped {report['network']}", str(run_dir))
    width = max(map(len, names))
    for name, one in zip(names, scores, strict=True):
        figures = evaluation.of_scores(one, images)
        low, high = figures.interval
        say(f"{name:<{width}}  top-1 {figures.top1:.2%} ({low:.2%} to {high:.2%})")
    found = evaluation.gain(scores[0], scores[1], images.labels)
    say(f"{'gain':<{width}}  {found} points, with the paired 95 % interval")
    return found


def _named(data: Path | None) -> str:
    return str(location(data) or "CIFAR-10")


def _check_fits(report: dict[str, Any], shipped: dict[str, Any], run_dir: Path) -> None:
    """Refuse a run that cannot replace the shipped network.

    Raises:
        RunError: classes or layers differ.
    """
    for what, one, other in (
        ("classes", report["class_names"], shipped.get("class_names")),
        (
            "layers",
            report["recipe"]["architecture"],
            shipped.get("recipe", {}).get("architecture", {}),
        ),
    ):
        if one != other:
            raise RunError(
                f"{run_dir} has other {what} than the shipped {report['network']}; export it by "
                f"itself, with --checkpoint {run_dir / WEIGHTS}."
            )
