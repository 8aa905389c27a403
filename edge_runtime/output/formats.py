"""How results are written: as text for people, as JSON lines, or as CSV.

The fields and their meaning are those of `edge_runtime.results`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from edge_runtime.results import LAYOUT, Frame, Result, record
from edge_runtime.support.console import one_line

Format = Literal["text", "json", "csv", "parquet"]  # Parquet has no lines; see `output.parts`
RESUMABLE = ("json", "csv", "parquet")  # `output.resume` and `output.parts` read them again
ENCODING_ERRORS = "surrogateescape"  # file names may be invalid UTF-8
CSV_COLUMNS = (
    "source",
    "frame",
    "rank",
    "label",
    "index",
    "score",
    "accepted",
    "model",
    "delegate",
    "error",
    "layout",
)


def formatter(
    format: Format, delegate: str = "", *, colours: bool = False
) -> Callable[[str, Result], str]:
    """Return the function that turns a source and its result into lines.

    Args:
        delegate: what runs the model; JSON and CSV say so.
        colours: print labels bold, for a terminal; text only.
    """
    if format == "json":
        return lambda source, result: json.dumps(record(source, result, delegate)) + "\n"
    if format == "csv":
        return lambda source, result: _csv(source, result, delegate)
    return lambda source, result: _text(source, result, colours)


def header(format: Format) -> str:
    """Return the line above all results."""
    return ",".join(CSV_COLUMNS) + "\r\n" if format == "csv" else ""


def csv_lines(rows: Any) -> str:
    """Return rows as CSV, each with its line break (RFC 4180: CR LF)."""
    import csv
    from io import StringIO

    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _text(source: str, result: Result, colours: bool) -> str:
    if result.error is not None:
        return ""  # standard error has it
    bold, plain = ("\033[1m", "\033[0m") if colours else ("", "")
    classes = ", ".join(f"{bold}{one_line(p.label)}{plain} {p.score:.3f}" for p in result)
    if not result.accepted:
        classes = f"none of these ({classes})" if classes else "none of these"
    name = one_line(source)
    if isinstance(result, Frame):
        name += f" #{result.frame} (age {result.age_ms:.0f} ms, dropped {result.dropped})"
    return f"{name}: {classes or 'no class reaches the threshold'}\n"


def _csv(source: str, result: Result, delegate: str) -> str:
    fields = record(source, result, delegate)
    start = [source, fields.get("frame", "")]
    accepted = "" if "accepted" not in fields else str(fields["accepted"]).lower()
    end = [accepted, *(fields.get(key, "") for key in ("model", "delegate", "error")), LAYOUT]
    predictions = fields.get("predictions") or [{}]
    return csv_lines(
        [*start, rank if p else "", *(p.get(k, "") for k in ("label", "index", "score")), *end]
        for rank, p in enumerate(predictions, start=1)
    )
