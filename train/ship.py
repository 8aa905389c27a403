"""Make the weights of a run the checkpoint from which its network is exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train import weights
from train.architectures import NETWORKS
from train.report import about_weights
from train.run_files import WEIGHTS, RunError, read_report


def ship_run(run_dir: Path) -> Path:
    """Write a run's weights, as float16, over the shipped checkpoint; return that file.

    Raises:
        RunError: the run is not finished, or has other classes or layers than the shipped network.
        CheckpointError: the weights are damaged, or the checkpoint cannot be written.
    """
    report = read_report(run_dir)
    path = weights.SHIPPED / f"{report['network']}.safetensors"
    if path.exists():
        _check_fits(report, weights.about(path), run_dir)
    build = NETWORKS[report["network"]]
    model = build(len(report["class_names"]), **report["recipe"]["architecture"])
    weights.load(model, run_dir / WEIGHTS)
    weights.save(model, path, dtype="float16", about=about_weights(report))
    return path


def _check_fits(report: dict[str, Any], shipped: dict[str, Any], run_dir: Path) -> None:
    """Refuse a run that cannot replace the shipped network.

    Raises:
        RunError: classes or layers differ.
    """
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
