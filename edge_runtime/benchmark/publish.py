"""Print and write the results of a benchmark, and choose its exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edge_runtime.benchmark.record import to_record, write
from edge_runtime.benchmark.regression import compare_records
from edge_runtime.benchmark.session import Session
from edge_runtime.benchmark.table import regression_text, to_text
from edge_runtime.support.console import INTERRUPTED

SLOWER = 3  # exit code


class Previous(NamedTuple):
    """A previous record to compare with.

    Attributes:
        path: its file.
        record: its content.
        tolerance: fraction by which a time may grow.
    """

    path: Path
    record: Mapping[str, Any]
    tolerance: float


def publish(
    session: Session,
    complain: Callable[[str], None],
    *,
    as_json: bool,
    out: Path | None,
    overwrite: bool,
    previous: Previous | None,
) -> int:
    """Print the results, write them to a file if one is named, and return the exit code.

    Args:
        session: the results.
        complain: called with each message for standard error.
        as_json: print JSON instead of tables.
        out: the file for the JSON record.
        overwrite: replace that file if it exists.
        previous: the record to compare with.

    Raises:
        OSError: standard output or the file cannot be written.
    """
    record = to_record(session)
    regression = None
    if previous is not None and session.baseline is not None:
        regression = compare_records(previous.record, record, tolerance=previous.tolerance)
        record["regression"] = {
            "tolerance": previous.tolerance,
            "changes": [change._asdict() for change in regression.changes],
            "warnings": regression.warnings,
        }
    for model, warnings in dict.fromkeys((r.setting.model, r.warnings) for r in session.rows):
        if warnings:
            complain(f"{model}: {'; '.join(warnings)}.")
    try:
        if as_json:
            print(json.dumps(record, indent=1))
            for row in session.rows:
                if row.error:
                    complain(row.error)
        else:
            print(to_text(session, bold=sys.stdout is not None and sys.stdout.isatty()), end="")
            if previous and regression:
                text = regression_text(regression, session, str(previous.path), previous.tolerance)
                print(text, end="")
        if sys.stdout is not None:
            sys.stdout.flush()
    finally:  # also if the reader of standard output has gone
        if out is not None:
            write(record, out, overwrite=overwrite)
    if session.interrupted:
        complain("interrupted; the results so far are marked as incomplete.")
        return INTERRUPTED
    if previous and regression and regression.slower:
        complain(f"slower than {previous.path} by more than {previous.tolerance:.0%}.")
        return SLOWER
    failed = any(row.error or row.too_short for row in session.rows)
    return int(bool(session.plan.images.failed or failed))
