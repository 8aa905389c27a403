"""Compare a record with a previous one from the same machine.

Two runs are not interleaved, and the speed of a machine changes between them by more than either
interval shows. So a row counts as slower only if even the low end of its ratio exceeds the
tolerance. The ratio's interval is the new interval divided by the previous one. An interruption may
leave a row with fewer loads of its model than a verdict needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.benchmark.record import RecordError
from edge_runtime.benchmark.session import CALLS_PER_TURN
from edge_runtime.support.timing import FEWEST_STRETCHES, Verdict

if TYPE_CHECKING:
    from edge_runtime.benchmark.pipeline import Setting

_KEYS = ("model", "requested", "threads", "batch")
# Times are comparable only if these are equal. By the key in the record: the name in messages.
_SAME = {
    "cpu": "CPU",
    "architecture": "architecture",
    "instructions": "instruction sets",
    "cores": "cores",
    "governor": "frequency governor",
}


class Change(NamedTuple):
    """The time of one stage of one row, before and now.

    Attributes:
        row: index of the row in the new record.
        stage: name of the stage.
        old_us: previous median in microseconds.
        new_us: new median in microseconds.
        ratio: new median divided by the previous one.
        low: lowest ratio that the two intervals allow.
        high: highest ratio that the two intervals allow.
        verdict: what follows from the interval and the tolerance.
    """

    row: int
    stage: str
    old_us: float
    new_us: float
    ratio: float
    low: float
    high: float
    verdict: Verdict


class Regression(NamedTuple):
    """The differences between a record and a previous one.

    Attributes:
        changes: the times of the rows that both records have.
        warnings: other differences, a sentence each.
    """

    changes: list[Change]
    warnings: list[str]

    @property
    def slower(self) -> bool:
        """Whether any time has become slower."""
        return any(change.verdict == "slower" for change in self.changes)


def require_comparable(
    old: Mapping[str, Any], environment: Mapping[str, Any], settings: Sequence[Setting]
) -> None:
    """Fail early if a previous record cannot be compared with the planned benchmark.

    Args:
        old: the previous record.
        environment: this machine, as in a record.
        settings: what is going to be measured.

    Raises:
        RecordError: the record is damaged, from another machine, or has none of the settings.
    """
    try:
        compare_records(old, old, tolerance=0.0)  # reads every key that is needed later
        keys = {_key(row) for row in old["rows"] if "stages" in row}
        before = {key: old["environment"][key] for key in _SAME}
    except (LookupError, TypeError, AttributeError, ZeroDivisionError) as exc:
        raise RecordError("The record is damaged; make a new one with --json or --out.") from exc
    if keys.isdisjoint(settings):
        raise RecordError(
            "The record has none of these models and settings; measure those that it has."
        )
    for key, name in _SAME.items():
        there, here = _plain(before[key]), _plain(environment[key])
        if there != here:
            raise RecordError(
                f"The record is from another machine or setup ({name}: {there} there, {here} "
                f"here); compare with a record from this machine."
            )


def compare_records(
    old: Mapping[str, Any], new: Mapping[str, Any], *, tolerance: float
) -> Regression:
    """Compare the rows that two records have in common, in the stages `invoke` and `end_to_end`.

    Args:
        old: the previous record.
        new: the new record, from the same machine, see `require_comparable`.
        tolerance: fraction by which a time may grow.
    """
    previous: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in old["rows"]:
        if "stages" in row:
            previous.setdefault(_key(row), row)
    changes: list[Change] = []
    warnings = _differences(old, new)
    for number, row in enumerate(new["rows"]):
        if "stages" not in row:
            continue
        before = previous.get(_key(row))
        if before is None:
            warnings.append(f"{_name(row)} is not in the previous record.")
            continue
        if before["model_sha256"] != row["model_sha256"]:
            warnings.append(f"The file of {row['model']} has changed.")
        if before["delegate"] != row["delegate"]:
            warnings.append(
                f"{_name(row)} ran on {before['delegate']} before, and on {row['delegate']} now."
            )
        stages = ["invoke"]
        # The time to decode depends on the images.
        if old["pictures_sha256"] == new["pictures_sha256"]:
            stages.append("end_to_end")
        enough = _has_enough_calls(before, old) and _has_enough_calls(row, new)
        changes += [_change(number, stage, before, row, tolerance, enough) for stage in stages]
    return Regression(changes, list(dict.fromkeys(warnings)))


def _has_enough_calls(row: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Say whether a row's intervals are 95 % intervals, see `timing.summarize`."""
    calls_per_load = record.get("calls_of_a_load", CALLS_PER_TURN)  # old records lack it
    return bool(row["stages"]["invoke"]["calls"] >= FEWEST_STRETCHES * calls_per_load)


def _change(
    number: int,
    stage: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    tolerance: float,
    enough: bool,
) -> Change:
    before, after = old["stages"][stage], new["stages"][stage]
    low = after["p50_low_us"] / before["p50_high_us"]
    high = after["p50_high_us"] / before["p50_low_us"]
    verdict: Verdict = "indistinguishable"
    if not enough:
        verdict = "too few calls to tell"
    elif low > 1 + tolerance:
        verdict = "slower"
    elif high < 1 / (1 + tolerance):
        verdict = "faster"
    ratio = after["p50_us"] / before["p50_us"]
    return Change(number, stage, before["p50_us"], after["p50_us"], ratio, low, high, verdict)


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    found = []
    before, after = old["environment"], new["environment"]
    versions = {name: before[name] for name in ("python", "system")} | before["packages"]
    now = {name: after[name] for name in ("python", "system")} | after["packages"]
    found += [
        f"{name} was {versions.get(name, 'absent')} before, and is {now.get(name, 'absent')} now."
        for name in sorted(versions.keys() | now.keys())
        if versions.get(name) != now.get(name)
    ]
    if old["pictures_sha256"] != new["pictures_sha256"]:
        found.append("The images differ, so only the time of the model alone is compared.")
    if old["interrupted"]:
        found.append("The previous run was interrupted.")
    for name, record in (("previous", old), ("new", new)):
        if any(conditions["disturbed"] for conditions in record["conditions"].values()):
            found.append(f"The {name} run was disturbed; do not rely on the difference.")
    return found


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in _KEYS)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['model']} on {row['requested']}, threads {row['threads']}, batch {row['batch']}"


def _plain(value: Any) -> str:
    return " ".join(value) if isinstance(value, (list, tuple)) else str(value)
