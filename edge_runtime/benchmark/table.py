"""A benchmark's result for people: plain text, a table for each question."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.benchmark.cold_start import median
from edge_runtime.benchmark.pipeline import STAGES, Setting
from edge_runtime.benchmark.regression import Regression
from edge_runtime.benchmark.session import END_TO_END, TURN, Row, Session
from edge_runtime.support.timing import Comparison

_SETTING = ("model", "delegate", "threads", "batch")
_RATIO = ("95 % interval", "verdict")


def to_text(session: Session, *, bold: bool = False) -> str:
    """Return all that was measured, and on what.

    Args:
        bold: mark headings, for a terminal.
    """
    blocks = [session.environment.lines()]
    if session.interrupted:
        blocks.append(["INTERRUPTED: what follows is incomplete."])
    blocks += [
        _headed(block, bold)
        for block in (_invoke(session), _stages(session), _against(session), _cold(session))
    ]
    blocks += [_headed(_sustained(session), bold), _conditions(session)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def regression_text(regression: Regression, session: Session, old: str, tolerance: float) -> str:
    """Return what became of an older record's rows.

    Args:
        old: what it is called.
        tolerance: that was allowed, a fraction.
    """
    rows = session.rows
    varying = _varying(rows)
    table = [
        [
            *_cells(rows[change.row], varying),
            change.stage.replace("_", " "),
            _us(change.old_us),
            _us(change.new_us),
            f"{change.ratio:.3f}",
            f"{change.low:.3f} to {change.high:.3f}",
            {"indistinguishable": "as before"}.get(change.verdict, change.verdict),
        ]
        for change in regression.changes
    ]
    header = [*varying, "stage", "then us", "now us", "ratio", "interval", "verdict"]
    title = f"Against {old}, slower from {tolerance:.0%} on:"
    return "\n".join(
        ["", title, *_aligned(header, table, left=len(varying) + 1), *regression.warnings, ""]
    )


def _headed(block: list[str], bold: bool) -> list[str]:
    return [f"\033[1m{block[0]}\033[0m", *block[1:]] if bold and block else block


def _invoke(session: Session) -> list[str]:
    rows = []
    for row in session.rows:
        cells = _cells(row, _SETTING)
        if row.stages and row.placement:
            found = row.stages["invoke"]
            cells += [
                f"{row.placement.delegated}/{row.placement.operations}",
                _us(found.p50_us),
                f"{_us(found.p50_low_us)} to {_us(found.p50_high_us)}",
                *map(_us, (found.p90_us, found.p95_us, found.p99_us)),
            ]
        if row.error or not row.stages:
            cells.append(row.error or "not measured before the interruption")
        rows.append(cells)
    calls = max(len(row.times) for row in session.rows)
    loads = _counted(max(1, -(-calls // session.calls_of_a_load)), "load")
    pictures = _counted(len(session.plan.pictures.paths), "picture")
    title = (
        f"The model alone, us an image ({calls:,} calls each, {TURN} in turn, {loads}, {pictures})"
    )
    header = [*_SETTING, "delegated", "p50", "95 % interval", "p90", "p95", "p99"]
    return [title, *_aligned(header, rows, left=2)]


def _stages(session: Session) -> list[str]:
    def cells(row: Row) -> list[str]:
        medians = [_us(row.stages[name].p50_us) for name in (*STAGES, END_TO_END)]
        return [*medians, f"{row.images_per_s:,.0f}"]

    header = ["decode", "pre-process", "invoke", "post-process", "end to end", "images/s"]
    title = "From file to answer, us an image (medians)"
    return _block(title, header, [row for row in session.rows if row.stages], cells)


def _against(session: Session) -> list[str]:
    if session.baseline is None:
        return []

    def cells(row: Row) -> list[str]:
        found = [cell for c in row.against.values() for cell in _ratio(c)]
        return found if END_TO_END in row.against else [*found, "other pictures in a turn"]

    header = ["alone", *_RATIO, "end to end", *_RATIO]
    title = f"Time over that of {_name(session.baseline.setting)} in the same turn"
    return _block(title, header, [row for row in session.rows if row.against], cells)


def _cold(session: Session) -> list[str]:
    def cells(row: Row) -> list[str]:
        middle = median(row.cold)
        totals = [start.total_ms for start in row.cold]
        parts = (
            *(middle.process_ms, middle.imports_ms, middle.load_ms),
            *(middle.first_image_ms, middle.first_invoke_ms, statistics.median(totals)),
        )
        peak = f"{middle.peak_bytes / 2**20:.0f}" if middle.peak_bytes else "unknown"
        return [*(f"{ms:.1f}" for ms in parts), f"{min(totals):.0f} to {max(totals):.0f}", peak]

    header = ["process", "imports", "load", "first image", "(invoke)", "in all", "range", "MiB"]
    count = max(len(row.cold) for row in session.rows)
    title = f"Cold start, ms (medians of {count} processes), and peak memory"
    return _block(title, header, [row for row in session.rows if row.cold], cells)


def _sustained(session: Session) -> list[str]:
    def cells(row: Row) -> list[str]:
        run = row.sustained
        if run is None:
            return [f"too few calls in {session.plan.sustained_s:g} s; give --sustained more"]
        first = run.tenths_us[0]
        tenths = " ".join(f"{tenth / first:.2f}" for tenth in run.tenths_us)
        ratio, interval, _ = _ratio(run.ends)
        return [f"{run.seconds:.1f}", _us(first), tenths, ratio, interval, run.drift]

    header = ["s", "first us", "each tenth over the first", "last", "95 % interval", "verdict"]
    title = "Sustained, end to end"
    rows = [row for row in session.rows if row.sustained or row.too_short]
    return _block(title, header, rows, cells)


def _conditions(session: Session) -> list[str]:
    lines = [f"{name.capitalize()}: {c.sentence}" for name, c in session.conditions.items()]
    seen = list(session.conditions.values())
    if seen and seen[0].load_before is not None:
        lines.append(
            f"Load average {seen[0].load_before:.2f} before, {seen[-1].load_after:.2f} after."
        )
    return lines


def _block(
    title: str, header: list[str], rows: list[Row], cells: Callable[[Row], list[str]]
) -> list[str]:
    """Return a table with as much of each setting as tells the rows apart."""
    if not rows:
        return []
    varying = _varying(rows)
    table = [[*_cells(row, varying), *cells(row)] for row in rows]
    return [title, *_aligned([*varying, *header], table, left=len(varying))]


def _varying(rows: Sequence[Row]) -> list[str]:
    """Return what tells rows apart; the model always does."""
    settings = [_setting(row) for row in rows]
    return [n for n in _SETTING if n == "model" or len({s[n] for s in settings}) > 1]


def _cells(row: Row, columns: Sequence[str]) -> list[str]:
    setting = _setting(row)
    return [setting[name] for name in columns]


def _setting(row: Row) -> dict[str, str]:
    """Return what a row is; its delegate is the one that really ran the model."""
    asked = row.setting.delegate
    delegate = Path(row.placement.delegate if row.placement else asked).name
    return {
        "model": row.setting.model,
        "delegate": f"{delegate} (auto)" if asked == "auto" else delegate,
        "threads": str(row.setting.threads),
        "batch": str(row.setting.batch),
    }


def _name(setting: Setting) -> str:
    threads = _counted(setting.threads, "thread")
    batch = f", batch {setting.batch}" if setting.batch > 1 else ""
    return f"{setting.model} ({setting.delegate}, {threads}{batch})"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}"


def _ratio(comparison: Comparison) -> list[str]:
    return [
        f"{comparison.ratio:.3f}",
        f"{comparison.low:.3f} to {comparison.high:.3f}",
        comparison.verdict,
    ]


def _us(us: float) -> str:
    return f"{us:,.1f}" if us < 10_000 else f"{us:,.0f}"


def _aligned(header: Sequence[str], rows: Sequence[Sequence[Any]], *, left: int) -> list[str]:
    """Return lines of columns, numbers to the right.

    Args:
        rows: one that is not as long as the header ends in a sentence.
        left: how many columns are text.
    """
    widths = [len(name) for name in header]
    for row in rows:
        full = row if len(row) == len(header) else row[:-1]
        widths = [max(w, len(full[i])) if i < len(full) else w for i, w in enumerate(widths)]
    lines = []
    for row in (header, *rows):
        cells = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        if len(row) != len(header):
            cells[len(row) - 1 :] = [row[-1]]
        lines.append("  ".join(cells).rstrip())
    return lines
