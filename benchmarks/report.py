"""The report of a run: one HTML page that needs no network, a PNG, and a table in Markdown."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Bbox

from benchmarks.results import LATENCY, OURS, Results, Row, Subject
from edge_runtime.support.files import replacing
from export.verify import points

_PAGE = Path(__file__).parent / "page"
_COLOURS = {
    "edge_runtime": "#0b7a75",
    "LiteRT": "#c2571a",
    "ONNX Runtime": "#5b5bd6",
    "OpenVINO": "#b8326b",
}


def write(results: Results, folder: Path) -> list[Path]:
    """Write `report.html`, `pareto.png` and `report.md`.

    Raises:
        OSError: the folder cannot be written to.
    """
    paths = [folder / name for name in ("report.html", "report.md", "pareto.png")]
    with replacing(paths[0]) as temporary:
        temporary.write_text(html(results), encoding="utf-8")
    with replacing(paths[1]) as temporary:
        temporary.write_text(markdown(results), encoding="utf-8")
    with replacing(paths[2]) as temporary:
        pareto(results).savefig(temporary, dpi=150)
    return paths


def html(results: Results) -> str:
    """Return the page, with style, script and data inside."""
    record = results.record()
    record["colours"] = _COLOURS
    data = json.dumps(record).replace("<", "\\u003c")  # no data may end the script
    page = (_PAGE / "report.html").read_text(encoding="utf-8")
    for name in ("report.css", "report.js"):
        page = page.replace(f"/* {name} */", (_PAGE / name).read_text(encoding="utf-8"))
    return page.replace("/* data */", data)


def frontier(results: Results) -> list[str]:
    """Return the names of the rows that no other beats in both accuracy and latency, by latency.

    A single image and a single thread a call, which is what a plot can compare.
    """
    names: list[str] = []
    best = -1.0
    for row in sorted(_plotted(results), key=lambda r: (_us(r), -_top1(r))):
        if _top1(row) > best:
            best = _top1(row)
            names.append(row.subject.name)
    return names


def pareto(results: Results) -> Figure:
    """Return the plot of accuracy against latency, a point a row with both."""
    figure = Figure(figsize=(9, 5.2), layout="constrained")
    axes = figure.subplots()
    rows = _plotted(results)
    networks = {row.subject.network for row in rows}
    largest = max((row.size_bytes or 0 for row in rows), default=1)
    edge = [results.rows[name] for name in frontier(results)]
    axes.step(  # nothing to be seen where one row beats all
        [_us(r) for r in edge],
        [100 * _top1(r) for r in edge],
        where="post",
        color="0.6",
        linestyle="--",
        linewidth=1,
        zorder=1,
        label="no other is faster and as accurate" if len(edge) > 1 else None,
    )
    circles: list[PathCollection] = []
    for runtime, colour in _COLOURS.items():
        of_runtime = [r for r in rows if r.subject.runtime == runtime]
        if not of_runtime:
            continue
        found = axes.scatter(
            [_us(r) for r in of_runtime],
            [100 * _top1(r) for r in of_runtime],
            s=[(r.size_bytes or 0) * 450 / largest for r in of_runtime],
            color=colour,
            alpha=0.55,
            edgecolors=colour,
            label=runtime,
        )
        circles.append(found)
    axes.set(
        xscale="log",
        xlabel="µs an image (p50, batch 1, one thread)",
        ylabel=f"top-1 on the CIFAR-10 test images, %{_half_width(rows)}",
    )
    axes.set_title(_machine(results), fontsize=9, wrap=True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    # 4 and 6 to 9 would run into their neighbours.
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
        axes.text(0.5, 0.5, "no row has both figures", transform=axes.transAxes, ha="center")
    # Our points have names, and those of the line; colour and size tell the rest.
    named = [row for row in rows if row in edge or row.subject.runtime == OURS]
    names = {_name(r.subject, many=len(networks) > 1): r for r in named}
    _write_names(figure, axes, circles, names)
    return figure


def markdown(results: Results) -> str:
    """Return a table of all rows with figures, one a line, the fastest of each network first."""
    lines = [
        "| network, precision | run by | bytes | top-1 | drop, points | p50, µs | p95, µs "
        "| time, our int8 = 1 | of the roofline |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    rows = [row for row in results.rows.values() if row.latency or row.accuracy]
    rows.sort(key=lambda r: (not r.subject.trained, r.subject.network, _us(r)))
    for row in rows:
        s = row.subject
        run_by = ", ".join(filter(None, (s.runtime, s.delegate)))
        run_by += f", {s.threads} threads" * (s.threads > 1) + f", batch {s.batch}" * (s.batch > 1)
        size = f"{row.size_bytes:,}" if row.size_bytes else ""
        name = f"{s.network} {s.precision}" + ", random weights" * (not s.trained)
        cells = [name, run_by, size, *_accuracy(row.accuracy), *_latency(row)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _accuracy(figures: dict[str, Any] | None) -> tuple[str, str]:
    if figures is None:
        return "", ""
    top1 = f"{figures['top1']:.2%} ({figures['top1_low']:.2%} to {figures['top1_high']:.2%})"
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
    p50 += "" if figures["complete"] else ", interrupted"
    ratio, against = "1", figures["against"]
    if against != row.subject.name:
        ratio = (
            f"{figures['ratio']:.3f} ({figures['ratio_low']:.3f} to {figures['ratio_high']:.3f})"
        )
    if not against.endswith("-int8, edge_runtime, xnnpack"):  # there was no int8 of ours
        ratio += f" of {against}"
    reached = figures["roofline"]
    return p50, f"{figures['p95_us']:,.0f}", ratio, f"{reached:.0%}" if reached else ""


def _plotted(results: Results) -> list[Row]:
    rows = results.rows.values()
    return [
        r for r in rows if r.latency and r.accuracy and r.subject.threads * r.subject.batch == 1
    ]


def _us(row: Row) -> float:
    return float(row.latency["p50_us"]) if row.latency else float("inf")


def _top1(row: Row) -> float:
    return float(row.accuracy["top1"]) if row.accuracy else 0.0


def _name(subject: Subject, *, many: bool) -> str:
    """Return a row's name in the plot, with its network if there are many."""
    what = f"{subject.network} {subject.precision}" if many else subject.precision
    by = subject.delegate if subject.runtime == OURS else subject.runtime
    return what if by == "xnnpack" else f"{what}, {by}"


def _write_names(
    figure: Figure, axes: Axes, circles: Sequence[PathCollection], named: Mapping[str, Row]
) -> None:
    """Write each name above or below its row's circle, where no circle and no other name is."""
    figure.draw_without_rendering()  # the layout is settled, and from now on kept
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
    """Write a name so many points above its row's circle, unless something is there.

    Args:
        pixels: a point.
    """
    note = axes.annotate(
        name,
        (_us(row), 100 * _top1(row)),
        xytext=(0, offset),
        textcoords="offset points",
        fontsize=7,
        ha="center",
        va="center",
        color=_COLOURS[row.subject.runtime],
        arrowprops={"arrowstyle": "-", "color": "0.75", "linewidth": 0.6, "zorder": 0},
    )
    _, _, width, height = Text.get_window_extent(note).bounds  # without the line to the point
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
    """Say how wide the intervals are, which would dwarf the plot if they were drawn."""
    widths = [r.accuracy["top1_high"] - r.accuracy["top1_low"] for r in rows if r.accuracy]
    return f"\n(95 % interval: ±{50 * max(widths):.1f})" if widths else ""


def _machine(results: Results) -> str:
    for name, record in results.passes.items():
        if name.startswith(LATENCY):
            return str(record["environment"][0])
    return ""
