"""The plot of the report: accuracy against latency."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Bbox

from benchmarks.results import LATENCY, OURS, Results, Row, Subject

COLOURS = {
    "edge_runtime": "#0b7a75",
    "LiteRT": "#c2571a",
    "ONNX Runtime": "#5b5bd6",
    "OpenVINO": "#b8326b",
}


def frontier(results: Results) -> list[str]:
    """Return the names of the rows that no other row beats in both accuracy and latency.

    Only rows with one image per call and one thread are compared. The fastest row comes first.
    """
    names: list[str] = []
    best = -1.0
    for row in sorted(_plotted(results), key=lambda r: (r.p50_us, -r.top1)):
        if row.top1 > best:
            best = row.top1
            names.append(row.subject.name)
    return names


def pareto(results: Results) -> Figure:
    """Return the plot of accuracy against latency, with a circle for each row that has both."""
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    axes = figure.subplots()
    rows = _plotted(results)
    networks = {row.subject.network for row in rows}
    largest = max((row.size_bytes or 0 for row in rows), default=1)
    edge = [results.rows[name] for name in frontier(results)]
    axes.step(  # invisible if one row beats all others
        [r.p50_us for r in edge],
        [100 * r.top1 for r in edge],
        where="post",
        color="0.6",
        linestyle="--",
        linewidth=1,
        zorder=1,
        label="no other is faster and as accurate" if len(edge) > 1 else None,
    )
    circles: list[PathCollection] = []
    for runtime, colour in COLOURS.items():
        of_runtime = [r for r in rows if r.subject.runtime == runtime]
        if not of_runtime:
            continue
        found = axes.scatter(
            [r.p50_us for r in of_runtime],
            [100 * r.top1 for r in of_runtime],
            s=[(r.size_bytes or 0) * 450 / largest for r in of_runtime],
            color=colour,
            alpha=0.55,
            edgecolors=colour,
            label=runtime,
        )
        circles.append(found)
    axes.set(
        xscale="log",
        xlabel="µs per image (p50, batch 1, one thread)",
        ylabel=f"top-1 on the CIFAR-10 test images, %{_half_width(rows)}",
    )
    axes.set_title(_machine(results), fontsize=9, wrap=True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    # The labels of 4 and 6 to 9 would overlap with their neighbours.
    axes.xaxis.set_minor_formatter(
        FuncFormatter(lambda value, _: f"{value:,.0f}" if f"{value:e}"[0] in "235" else "")
    )
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.tick_params(axis="x", which="minor", labelsize=8)
    axes.margins(0.12, 0.35)
    axes.grid(alpha=0.25, which="both")
    if rows:
        legend = axes.legend(fontsize=8, loc="best", title="area: bytes", title_fontsize=8)
        for handle in legend.legend_handles:
            if isinstance(handle, PathCollection):
                handle.set_sizes([40])
    else:
        axes.text(
            0.5, 0.5, "no row has both accuracy and latency", transform=axes.transAxes, ha="center"
        )
    # Only our rows and those on the line get names; colours show the runtime of the others.
    named = [row for row in rows if row in edge or row.subject.runtime == OURS]
    names = {_name(r.subject, many=len(networks) > 1): r for r in named}
    _write_names(figure, axes, circles, names)
    return figure


def _plotted(results: Results) -> list[Row]:
    rows = results.rows.values()
    return [
        r for r in rows if r.latency and r.accuracy and r.subject.threads * r.subject.batch == 1
    ]


def _name(subject: Subject, *, many: bool) -> str:
    """Return the name of a row in the plot; `many` adds its network."""
    what = f"{subject.network} {subject.precision}" if many else subject.precision
    by = subject.delegate if subject.runtime == OURS else subject.runtime
    return what if by == "xnnpack" else f"{what}, {by}"


def _write_names(
    figure: Figure, axes: Axes, circles: Sequence[PathCollection], named: Mapping[str, Row]
) -> None:
    """Write each name above or below the circle of its row, where the plot is still empty."""
    figure.draw_without_rendering()  # computes the layout, which then stays as it is
    figure.set_layout_engine("none")
    pixels = figure.dpi / 72
    legend = axes.get_legend()
    taken = [legend.get_window_extent()] if legend else []
    for of_runtime in circles:
        offsets = np.asarray(of_runtime.get_offsets())
        for point, area in zip(offsets, of_runtime.get_sizes(), strict=True):
            x, y = axes.transData.transform(point)
            half = math.sqrt(area) / 2 * pixels
            taken.append(Bbox.from_extents(x - half, y - half, x + half, y + half))
    for name, row in named.items():
        for distance in range(16, 200, 6):
            tried = (_annotated(axes, name, row, y, pixels, taken) for y in (distance, -distance))
            if any(tried):
                break


def _annotated(
    axes: Axes, name: str, row: Row, offset: int, pixels: float, taken: list[Bbox]
) -> bool:
    """Write a name `offset` points above the circle of its row, unless that place is taken.

    Args:
        axes: the axes of the plot.
        name: the name to write.
        row: the row of the circle.
        offset: distance in points; negative: below the circle.
        pixels: pixels per point.
        taken: places that are taken; the place of the name is added.

    Returns:
        Whether the name was written.
    """
    note = axes.annotate(
        name,
        (row.p50_us, 100 * row.top1),
        xytext=(0, offset),
        textcoords="offset points",
        fontsize=7,
        ha="center",
        va="center",
        color=COLOURS[row.subject.runtime],
        arrowprops={"arrowstyle": "-", "color": "0.75", "linewidth": 0.6, "zorder": 0},
    )
    _, _, width, height = Text.get_window_extent(note).bounds  # excludes the line to the circle
    x, y = axes.transData.transform(note.xy)
    y += offset * pixels
    box = Bbox.from_bounds(x - width / 2, y - height / 2, width, height)
    free = axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max)
    if not free or any(box.overlaps(other) for other in taken):
        note.remove()
        return False
    taken.append(box)
    return True


def _half_width(rows: list[Row]) -> str:
    """Return the width of the intervals as text; drawn, they would be larger than the plot."""
    widths = [r.accuracy["top1_high"] - r.accuracy["top1_low"] for r in rows if r.accuracy]
    return f"\n(95 % interval: ±{50 * max(widths):.1f})" if widths else ""


def _machine(results: Results) -> str:
    for name, record in results.passes.items():
        if name.startswith(LATENCY):
            return str(record["environment"][0])
    return ""
