"""Show the results of a benchmark as plain text, one table per question."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.benchmark.cold_start import median
from edge_runtime.benchmark.pipeline import STAGES, Setting
from edge_runtime.benchmark.regression import Regression
from edge_runtime.benchmark.session import CALLS_PER_TURN, END_TO_END, Measurement, Session
from edge_runtime.inference.acceptance import phrase
from edge_runtime.support.timing import TimeRatio

_SETTING = ("model", "delegate", "threads", "batch")
_RATIO = ("95 % interval", "verdict")


def to_text(session: Session, *, bold: bool = False) -> str:
    """Return the machine, the tables and the conditions.

    Args:
        session: the results.
        bold: print headings in bold, for a terminal.
    """
    blocks = [session.environment.lines()]
    if session.interrupted:
        blocks.append(["INTERRUPTED: the results below are incomplete."])
    blocks += [
        _headed(block, bold)
        for block in (_invoke(session), _stages(session), _against(session), _cold(session))
    ]
    blocks += [_headed(_sustained(session), bold), _acceptance(session), _conditions(session)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def regression_text(regression: Regression, session: Session, old: str, tolerance: float) -> str:
    """Return the table of differences from a previous record.

    Args:
        regression: the differences.
        session: the new results, whose rows the differences refer to.
        old: the name of the previous record.
        tolerance: the tolerance, a fraction.
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
            change.verdict,
        ]
        for change in regression.changes
    ]
    header = [*varying, "stage", "before, us", "now, us", "ratio", "interval", "verdict"]
    title = f"Compared with {old}, tolerance {tolerance:.0%}"
    return "\n".join(
        ["", title, *aligned(header, table, left=len(varying) + 1), *regression.warnings, ""]
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
    loads = _counted(max(1, -(-calls // session.calls_per_load)), "load")
    images = _counted(len(session.plan.images.paths), "image")
    title = (
        f"Model alone, us per image "
        f"({calls:,} calls per row, {CALLS_PER_TURN} per turn, {loads}, {images})"
    )
    header = [*_SETTING, "delegated", "p50", "95 % interval", "p90", "p95", "p99"]
    return [title, *aligned(header, rows, left=2)]


def _stages(session: Session) -> list[str]:
    def cells(row: Measurement) -> list[str]:
        medians = [_us(row.stages[name].p50_us) for name in (*STAGES, END_TO_END)]
        return [*medians, f"{row.images_per_s:,.0f}"]

    header = ["decode", "pre-process", "invoke", "post-process", "end to end", "images/s"]
    title = "From file to result, us per image (medians)"
    return _block(title, header, [row for row in session.rows if row.stages], cells)


def _against(session: Session) -> list[str]:
    if session.baseline is None:
        return []

    def cells(row: Measurement) -> list[str]:
        found = [cell for c in row.against.values() for cell in _ratio(c)]
        return found if END_TO_END in row.against else [*found, "not comparable: other batch"]

    header = ["model alone", *_RATIO, "end to end", *_RATIO]
    title = f"Time relative to {_name(session.baseline.setting)}, in the same turn"
    return _block(title, header, [row for row in session.rows if row.against], cells)


def _cold(session: Session) -> list[str]:
    def cells(row: Measurement) -> list[str]:
        middle = median(row.cold)
        totals = [start.total_ms for start in row.cold]
        parts = (
            *(middle.process_ms, middle.imports_ms, middle.load_ms),
            *(middle.first_image_ms, middle.first_invoke_ms, statistics.median(totals)),
        )
        peak = f"{middle.peak_bytes / 2**20:.0f}" if middle.peak_bytes else "unknown"
        return [*(f"{ms:.1f}" for ms in parts), f"{min(totals):.0f} to {max(totals):.0f}", peak]

    header = ["process", "imports", "load", "first image", "(invoke)", "total", "range", "MiB"]
    count = max(len(row.cold) for row in session.rows)
    processes = f"{count} process{'es' if count > 1 else ''}"
    title = f"Cold start, ms (medians of {processes}), and peak memory"
    return _block(title, header, [row for row in session.rows if row.cold], cells)


def _sustained(session: Session) -> list[str]:
    def cells(row: Measurement) -> list[str]:
        run = row.sustained
        if run is None:
            return [f"too few calls in {session.plan.sustained_s:g} s; raise --sustained"]
        first = run.tenths_us[0]
        tenths = " ".join(f"{tenth / first:.2f}" for tenth in run.tenths_us)
        ratio, interval, _ = _ratio(run.ends)
        return [f"{run.seconds:.1f}", _us(first), tenths, ratio, interval, run.drift]

    header = ["s", "first, us", "each tenth / first tenth", "last", "95 % interval", "verdict"]
    title = "Sustained, end to end"
    rows = [row for row in session.rows if row.sustained or row.too_short]
    return _block(title, header, rows, cells)


def _acceptance(session: Session) -> list[str]:
    """Return a line for each model that has a threshold of its own."""
    found = {row.setting.model: row.acceptance for row in session.rows if row.acceptance}
    return [f"{model} {phrase(default)}." for model, default in found.items()]


def _conditions(session: Session) -> list[str]:
    lines = [f"{name.capitalize()}: {c.sentence}" for name, c in session.conditions.items()]
    seen = list(session.conditions.values())
    if seen and seen[0].load_before is not None:
        lines.append(
            f"Load average {seen[0].load_before:.2f} before, {seen[-1].load_after:.2f} after."
        )
    return lines


def _block(
    title: str,
    header: list[str],
    rows: list[Measurement],
    cells: Callable[[Measurement], list[str]],
) -> list[str]:
    """Return a table; of each setting, show only the columns that differ between the rows."""
    if not rows:
        return []
    varying = _varying(rows)
    table = [[*_cells(row, varying), *cells(row)] for row in rows]
    return [title, *aligned([*varying, *header], table, left=len(varying))]


def _varying(rows: Sequence[Measurement]) -> list[str]:
    """Return the setting columns that differ between the rows, and always the model."""
    settings = [_setting(row) for row in rows]
    return [n for n in _SETTING if n == "model" or len({s[n] for s in settings}) > 1]


def _cells(row: Measurement, columns: Sequence[str]) -> list[str]:
    setting = _setting(row)
    return [setting[name] for name in columns]


def _setting(row: Measurement) -> dict[str, str]:
    """Return the setting columns of a row; the delegate is the one that ran the model."""
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


def _ratio(ratio: TimeRatio) -> list[str]:
    return [
        f"{ratio.ratio:.3f}",
        f"{ratio.low:.3f} to {ratio.high:.3f}",
        ratio.verdict,
    ]


def _us(us: float) -> str:
    return f"{us:,.1f}" if us < 10_000 else f"{us:,.0f}"


def aligned(header: Sequence[str], rows: Sequence[Sequence[Any]], *, left: int) -> list[str]:
    """Return the lines of a table, text to the left and numbers to the right.

    Args:
        header: names of the columns.
        rows: the cells; a row shorter than the header ends in a sentence.
        left: number of columns that contain text.
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
