"""The report of a run: its text for a person, and the part that its weights carry along."""

from __future__ import annotations

from typing import Any

from edge_runtime.support.metrics import wilson_interval
from train import rejection, temperature


def as_text(report: dict[str, Any]) -> str:
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
    if report["rejection"]:
        lines += _rejection(report["rejection"])
    if report["temperature"] is not None:
        before = report["uncalibrated"]["test"]
        lines.append(
            f"temperature {report['temperature']:.3f}; without it loss {before['loss']:.3f}, "
            f"calibration error {before['calibration_error']:.2%} on the test images"
        )
    elif report["recipe"]["calibrate"]:
        lines.append(f"scores are not calibrated: {_why_not_calibrated(report)}")
    recipe = report["recipe"]
    if recipe["fine_tune"] and recipe["early_stopping_patience"] is not None:
        best = report["best_epoch"]
        lines.append(
            f"the weights after epoch {best} are kept, because their held-out loss is the lowest"
            if best
            else "no epoch lowered the held-out loss, so only the last layer is new"
        )
    lines.append(
        f"{report['seconds'] / 60:.0f} min, "
        f"{report['data_seconds'] / report['seconds']:.1%} of it for the data pipeline"
    )
    for name, share in report["test"]["per_class"].items():
        lines.append(f"{name:>12} {share:.1%}")
    for pair in report["test"]["most_confused"]:
        lines.append(f"{' and '.join(pair['classes'])} are confused {pair['images']} times")
    return "\n".join(lines)


def _rejection(figures: dict[str, Any]) -> list[str]:
    lines = [
        f"a threshold of {figures['threshold']:.3f} accepts {rejection.KEPT:.0%} of the held-out "
        f"images and {figures['test_accepted']:.1%} of the test images; of classes of outliers "
        f"that were never trained on:"
    ]
    for name, found in figures["outliers"].items():
        low, high = found["accepted_interval_95"]
        lines.append(
            f"{name:>12}: {found['accepted']:.1%} accepted ({low:.1%} to {high:.1%}), "
            f"AUROC {found['auroc']:.3f}, {found['images']:,} images"
        )
    return lines


def _why_not_calibrated(report: dict[str, Any]) -> str:
    held_out = report["held_out"]
    if held_out["images"] < temperature.FEWEST_IMAGES:
        return f"{held_out['images']} held-out images are too few to fit a temperature"
    if held_out["top1"] == 1.0:
        return f"all {held_out['images']:,} held-out images are classified right"
    return "no temperature from 1/10 to 10 corrects them; the network may have learned nothing"


def about_weights(report: dict[str, Any]) -> dict[str, Any]:
    """Return what the weights of a run say about themselves, as JSON types.

    It names no time or place, so that equal runs write equal files. A field that an older run did
    not report is None.
    """
    about = {
        key: report.get(key)
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
            "train_images",
            "outliers",
            "outliers_sha256",
            "versions",
        )
    }
    return about | {f"{split}_top1": report[split]["top1"] for split in ("held_out", "test")}
