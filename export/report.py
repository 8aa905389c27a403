"""What `python -m export.tflite` names its files and prints about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from edge_runtime.inference.acceptance import default_threshold, phrase
from export.pipeline import Export, QuantizationMode
from export.sensitivity import LayerError
from export.verify import AccuracyComparison, points

_TABLE_HEAD = (
    "| file | bytes | top-1 | drop, points | McNemar p | agreement |",
    "|---|---|---|---|---|---|",
)


def default_out(
    network: str,
    mode: QuantizationMode,
    *,
    features: bool = False,
    variant: Sequence[str] = (),
) -> Path:
    """Return the file of an export.

    Args:
        network: its name.
        mode: what is done to its numbers.
        features: whether the file holds the feature extractor.
        variant: what else tells the file from others of the network, at the end of its name.
    """
    parts = (network, *(["features"] if features else []), mode.precision, *variant)
    return Path("exports") / f"{'-'.join(parts)}.tflite"


def lines(export: Export, judged_on: str) -> list[str]:
    """Return what is printed about a written file.

    Args:
        export: the file.
        judged_on: names the images that judged it, in a phrase.
    """
    default = default_threshold(export.acceptance)
    return [
        f"{export.path}: {export.size:,} bytes",
        f"on {judged_on}: {export.comparison}",
        *([phrase(default)] if default else []),
        *(f"lint: {finding}" for finding in export.findings),
    ]


def table(exports: Iterable[Export]) -> list[str]:
    """Return a table of files whose accuracy is known, in Markdown."""
    judged = ((export, export.comparison) for export in exports)
    return [*_TABLE_HEAD, *(_row(e, c) for e, c in judged if isinstance(c, AccuracyComparison))]


def ranking(errors: Iterable[LayerError]) -> list[str]:
    """Return a table of layers by quantization error."""
    return [
        f"{'layer':<24}{'SQNR, dB':>10}{'regained, points':>18}",
        *(f"{e.layer:<24}{e.sqnr_db:>10.1f}{points(e.regained):>18}" for e in errors),
    ]


def _row(export: Export, comparison: AccuracyComparison) -> str:
    low, high = comparison.top1_interval
    drop_low, drop_high = comparison.drop_interval
    return (
        f"| {export.path.stem} | {export.size:,} "
        f"| {comparison.top1:.2%} ({low:.2%} to {high:.2%}) "
        f"| {points(comparison.top1_drop)} ({points(drop_low)} to "
        f"{points(drop_high)}) | {comparison.p_value:.2f} | {comparison.agreement:.2%} |"
    )
