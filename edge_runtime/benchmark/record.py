"""Write the results of a benchmark as JSON in full precision, and read them again."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_runtime.benchmark.cold_start import median
from edge_runtime.benchmark.session import CALLS_PER_TURN, Measurement, Session
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.support.files import replacing

FORMAT = "edge-benchmark 1"


class RecordError(EdgeRuntimeError):
    """A record cannot be read, written or compared with."""


def to_record(session: Session) -> dict[str, Any]:
    """Return the results and the machine as JSON types.

    The keys are those of format `edge-benchmark 1`, which `--compare` reads; they never change.
    """
    plan = session.plan
    return {
        "format": FORMAT,
        "started": session.started.isoformat(),
        "interrupted": session.interrupted,
        "environment": session.environment.record(),
        "conditions": {name: c.record() for name, c in session.conditions.items()},
        "pictures": len(plan.images.paths),
        "pictures_sha256": plan.images.sha256,
        "calls_in_a_turn": CALLS_PER_TURN,
        "calls_of_a_load": session.calls_per_load,
        "sustained_s": plan.sustained_s,
        "baseline": next((i for i, r in enumerate(session.rows) if r is session.baseline), None),
        "rows": [_row(row) for row in session.rows],
    }


def write(record: Mapping[str, Any], path: Path, *, overwrite: bool = False) -> None:
    """Write a record; the file appears only when it is complete.

    Args:
        record: from `to_record`.
        path: the file to write.
        overwrite: replace a file that exists.

    Raises:
        OSError: the file cannot be written, or exists; the error names the file.
    """
    # A missing folder is a typing error.
    with replacing(path, parents=False, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """Read a record that `--out` wrote or `--json` printed.

    Raises:
        RecordError: the file cannot be read, or it is not a record.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise RecordError(f"{path} cannot be read ({exc.strerror}); check the name.") from exc
    except (ValueError, RecursionError) as exc:
        raise RecordError(
            f"{path} is not JSON ({exc}); make a record with --json or --out."
        ) from exc
    found = record.get("format") if isinstance(record, dict) else None
    if found != FORMAT:
        raise RecordError(
            f"Expected {path} to be a record in format {FORMAT}, but got "
            f"{found or 'something else'}; make a record with --json or --out."
        )
    return dict(record)


def _row(row: Measurement) -> dict[str, Any]:
    record: dict[str, Any] = {
        "model": row.setting.model,
        "model_bytes": row.model_bytes,
        "model_sha256": row.model_sha256,
        "requested": row.setting.delegate,
        "threads": row.setting.threads,
        "batch": row.setting.batch,
        "error": row.error,
    }
    if row.placement:
        record |= {
            "delegate": row.placement.delegate,
            "delegated": row.placement.delegated,
            "operations": row.placement.operations,
            "outside": list(row.placement.outside),
        }
    if row.acceptance:
        record["acceptance"] = row.acceptance
    if row.reason:
        record["reason"] = row.reason
    if row.stages:
        record |= {
            "images_per_s": row.images_per_s,
            "stages": {name: asdict(summary) for name, summary in row.stages.items()},
            "against_baseline": {name: asdict(c) for name, c in row.against.items()},
        }
    if row.cold:
        record["cold_start"] = {
            "median": median(row.cold)._asdict()
            | {"total_ms": statistics.median(start.total_ms for start in row.cold)},
            "processes": [{**start._asdict(), "total_ms": start.total_ms} for start in row.cold],
        }
    if row.sustained:
        record["sustained"] = row.sustained._asdict() | {"ends": asdict(row.sustained.ends)}
    return record
