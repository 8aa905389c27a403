"""Show what `--tune` measured and chose, as tables or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from edge_runtime.benchmark.session import Measurement
from edge_runtime.benchmark.table import aligned
from edge_runtime.benchmark.tune import Tuning
from edge_runtime.inference.tuning import Chosen
from edge_runtime.support.timing import Summary, summarize


class _Row(NamedTuple):
    """One setting.

    Attributes:
        delegate: name of the delegate.
        number: of threads or processes.
        reason: why the setting does not count, or was not measured for long; otherwise empty.
        agrees: whether its scores are those of the CPU.
        summary: its times; None if it was not measured for long.
        chosen: the choice, if it is this setting.
    """

    delegate: str
    number: int
    reason: str
    agrees: bool
    summary: Summary | None
    chosen: Chosen | None


def text(tuning: Tuning) -> str:
    """Return one table for one image at a time, and one for a folder."""
    return "\n".join(
        [
            f"{tuning.model}, one image at a time (the model alone)",
            *_table(_one(tuning), "threads"),
            "",
            f"{tuning.model}, a folder of images (from file to result)",
            *_table(_many(tuning), "processes"),
            "",
        ]
    )


def record(tuning: Tuning) -> dict[str, Any]:
    """Return the same as JSON types."""
    conditions = {name: found.record() for name, found in tuning.session.conditions.items()}
    return {
        "model": tuning.model,
        "tuned": tuning.tuned.day,
        "conditions": conditions,
        "one": _fields(_one(tuning), "threads"),
        "many": _fields(_many(tuning), "processes"),
    }


def _one(tuning: Tuning) -> list[_Row]:
    measured: dict[object, Measurement] = {row.setting: row for row in tuning.session.rows}
    best = tuning.tuned.one
    rows = []
    for candidate in tuning.candidates:
        setting = candidate.setting
        reason, summary = candidate.refused, None
        if setting in measured:
            summary = measured[setting].stages.get("invoke")
            reason = measured[setting].error or ""
        elif not reason:
            reason = f"about {candidate.first_us / 1000:.3f} ms, too slow to be measured for long"
        chosen = best if (setting.delegate, setting.threads) == best[:2] else None
        rows.append(
            _Row(setting.delegate, setting.threads, reason, not candidate.refused, summary, chosen)
        )
    return rows


def _many(tuning: Tuning) -> list[_Row]:
    best = tuning.tuned.many
    return [
        _Row(
            setting.delegate,
            setting.threads,
            reason="",
            agrees=True,
            summary=summarize(times),
            chosen=best if (setting.delegate, setting.threads) == best[:2] else None,
        )
        for setting, times in tuning.folders.items()
    ]


def _table(rows: Sequence[_Row], unit: str) -> list[str]:
    cells = []
    for row in rows:
        cell = [row.delegate, str(row.number)]
        if row.summary is not None:
            low, high = row.summary.p50_low_us, row.summary.p50_high_us
            cell += [_ms(row.summary.p50_us), f"{_ms(low)} to {_ms(high)}"]
        if row.reason:
            cell.append(row.reason if row.agrees else f"does not count: {row.reason}")
        else:
            cell += ["yes", "yes" if row.chosen else ""]
        cells.append(cell)
    return aligned(["delegate", unit, "ms", "95 % interval", "agrees", "chosen"], cells, left=1)


def _fields(rows: Sequence[_Row], unit: str) -> dict[str, Any]:
    found = []
    for row in rows:
        fields = row._asdict()
        fields[unit] = fields.pop("number")
        fields["summary"] = row.summary and asdict(row.summary)
        fields["chosen"] = row.chosen is not None
        found.append(fields)
    best = next((row.chosen for row in rows if row.chosen), None)
    return {"rows": found, "gain": best and best.gain, "over": best and best.over}


def _ms(us: float) -> str:
    return f"{us / 1000:,.3f}"
