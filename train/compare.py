"""Compare finished runs: their figures as a table, their curves in one plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train import evaluation, plots, weights
from train.run_files import HELD_OUT, read_history, read_report


def compare_runs(run_dirs: Sequence[Path], out: Path) -> str:
    """Draw the curves of several runs into the PNG file `out`; return their figures as a table.

    The last column is the gain over the first run on the same held-out images, in percentage
    points, with its paired 95 % interval. It is "-" if the images differ or a run lacks its scores.
    A second table says how the runs with outliers tell them from the images.

    Raises:
        RunError: one of the runs is not finished.
        OSError: the plot cannot be written.
    """
    reports = [read_report(run_dir) for run_dir in run_dirs]
    histories = {str(run_dir): read_history(run_dir) for run_dir in run_dirs}
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
    lines += _rejection(run_dirs, reports, width)
    plots.curves(histories, out, "runs compared")
    return "\n".join(lines)


def _rejection(
    run_dirs: Sequence[Path], reports: Sequence[dict[str, Any]], width: int
) -> list[str]:
    """Return AUROC and the share of accepted outliers of each run and source, as lines."""
    rows = [
        f"{run_dir!s:<{width}}  {found['accepted']:>8.2%}  {found['auroc']:.3f}  "
        f"{found['images']:>6,}  {name}"
        for run_dir, report in zip(run_dirs, reports, strict=True)
        for name, found in ((report.get("rejection") or {}).get("outliers") or {}).items()
    ]
    if not rows:
        return []
    return ["", f"{'run':<{width}}  accepted  AUROC  images  validation outliers", *rows]


def _gain(first: Path, second: Path) -> str:
    """Return how much more accurate `second` is, in points, with its paired interval."""
    try:
        (one, of_one), (other, of_other) = (
            weights.read(run_dir / HELD_OUT) for run_dir in (first, second)
        )
    except weights.CheckpointError:
        return "-"
    if of_one != of_other:
        return "-"
    return str(evaluation.gain(one["scores"], other["scores"], one["labels"]))
