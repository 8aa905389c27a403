"""Reading the results of a previous run, which `--resume` keeps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from edge_runtime.errors import ResumeError
from edge_runtime.output.formats import CSV_COLUMNS, ENCODING_ERRORS, Format, csv_lines, header
from edge_runtime.results import LAYOUT

_REMEDY = "use --overwrite instead of --resume to start over, or another --out"
# What users call the parts of a job that are no options.
_NAMES = {"format": "format", "thresholds": "threshold for none of these"}


def difference(job: Mapping[str, Any], previous: Mapping[str, Any]) -> str:
    """Return why a job cannot keep a previous job's results, or an empty string if it can.

    Args:
        job: what results depend on, see `edge_runtime.jobs.job.dependencies`.
        previous: the same of the previous job.
    """
    keys = sorted(key for key in job if job[key] != previous.get(key))
    if not keys:
        return ""
    names = [_NAMES.get(key, f"--{key.replace('_', '-')}") for key in keys]
    return f"was written with a different {', '.join(names)}; {_REMEDY}"


def require_same_job(part: Path, file: Path, job: Mapping[str, Any]) -> None:
    """Refuse to mix a previous job's results with those of this job.

    Args:
        part: the previous results, which the error names.
        file: what they depend on, as JSON; nothing is known if it is missing or damaged.
        job: what this job's results depend on.

    Raises:
        ResumeError: the two jobs differ.
    """
    try:
        previous = dict(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return
    why = difference(job, previous)
    if why:
        raise ResumeError(f"{part} {why}.")


def previous_results(path: Path, format: Format, *, cut: bool) -> Iterator[tuple[str, str, bool]]:
    """Yield the sources that have a result, with their lines, and whether they are frames.

    Errors are not results: their images are tried again.

    Args:
        cut: whether the run was stopped, so that the last image's lines may be incomplete.

    Raises:
        ResumeError: the file has another format or layout, so that its contents would be lost.
    """
    with path.open(encoding="utf-8", errors=ENCODING_ERRORS, newline="") as stream:
        try:
            yield from (_json_results if format == "json" else _csv_results)(stream, cut)
        except (ValueError, LookupError, TypeError) as exc:
            raise ResumeError(
                f"{path} does not contain what --{format} of this version writes; {_REMEDY}."
            ) from exc


def _json_results(stream: TextIO, cut: bool) -> Iterator[tuple[str, str, bool]]:
    for line in stream:
        if cut and not line.endswith("\n"):
            return
        fields = json.loads(line)
        source, failed = fields["source"], "error" in fields
        if fields["layout"] != LAYOUT or not (failed or isinstance(fields["predictions"], list)):
            raise ValueError
        if not failed:
            yield source, line, "frame" in fields


def _csv_results(stream: TextIO, cut: bool) -> Iterator[tuple[str, str, bool]]:
    import csv

    csv.field_size_limit(2**31 - 1)  # its default, 131,072, is less than a label may have
    first = stream.readline()
    if first != header("csv"):
        if cut and header("csv").startswith(first):
            return
        raise ValueError
    rows = list(csv.reader(stream))
    if cut and rows:
        last = rows.pop()
        rows = [row for row in rows if row[0] != last[0]]
    for row in rows:
        fields = dict(zip(CSV_COLUMNS, row, strict=True))
        if fields["layout"] != str(LAYOUT):
            raise ValueError
        if not fields["error"]:
            yield fields["source"], csv_lines([row]), fields["frame"] != ""
