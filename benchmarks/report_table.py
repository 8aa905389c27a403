"""The table of the report, in Markdown."""

from __future__ import annotations

from typing import Any

from benchmarks.results import Results, Row
from export.verify import points


def markdown(results: Results) -> str:
    """Return a table of all rows that have figures, the fastest of each network first."""
    lines = [
        "| network, precision | run by | bytes | top-1 | drop, points | p50, µs | p95, µs "
        "| time, our int8 = 1 | of the peak |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows = [row for row in results.rows.values() if row.latency or row.accuracy]
    rows.sort(key=lambda r: (not r.subject.trained, r.subject.network, r.p50_us))
    for row in rows:
        subject = row.subject
        name = f"{subject.network} {subject.precision}"
        if not subject.trained:
            name += ", random weights"
        size = f"{row.size_bytes:,}" if row.size_bytes else ""
        cells = [name, subject.run_by, size, *_accuracy(row.accuracy), *_latency(row)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _accuracy(figures: dict[str, Any] | None) -> tuple[str, str]:
    if figures is None:
        return "", ""
    top1 = f"{figures['top1']:.2%} ({figures['top1_low']:.2%} to {figures['top1_high']:.2%})"
    if "asked" in figures:
        top1 += f", second model asked about {figures['asked']:.1%}"
    if "drop" not in figures:
        return top1, ""
    drop, low, high = (points(figures[key]) for key in ("drop", "drop_low", "drop_high"))
    return top1, f"{drop} ({low} to {high})"


def _latency(row: Row) -> tuple[str, str, str, str]:
    figures = row.latency
    if figures is None:
        return "", "", "", ""
    p50 = (
        f"{figures['p50_us']:,.0f} ({figures['p50_low_us']:,.0f} to {figures['p50_high_us']:,.0f})"
    )
    if not figures["complete"]:
        p50 += ", interrupted"
    ratio, against = "1", figures["against"]
    if against != row.subject.name:
        ratio = (
            f"{figures['ratio']:.3f} ({figures['ratio_low']:.3f} to {figures['ratio_high']:.3f})"
        )
    if not against.endswith("-int8, edge_runtime, xnnpack"):  # our int8 file was not measured
        ratio += f" of {against}"
    reached = figures["of_peak"]
    return p50, f"{figures['p95_us']:,.0f}", ratio, f"{reached:.0%}" if reached else ""
