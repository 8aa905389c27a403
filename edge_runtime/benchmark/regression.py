"""One record against an older one of the same machine.

Two runs are not interleaved, and a machine's speed wanders between them by more than either
interval shows. So a row counts as slower where even the low end of its ratio, new interval over
old, lies beyond a tolerance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from edge_runtime.benchmark.record import RecordError
from edge_runtime.support.timing import Verdict

if TYPE_CHECKING:
    from edge_runtime.benchmark.pipeline import Setting

_KEYS = ("model", "requested", "threads", "batch")
# What makes times of two machines, or of two settings of one, incomparable.
_SAME = ("cpu", "architecture", "instructions", "cores", "governor")


class Change(NamedTuple):
    """A stage of a row, then and now.

    Attributes:
        row: its place in the new record.
        ratio: the new median over the old one; `low` and `high` from both intervals' ends.
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
    """What became of an older record's rows.

    Attributes:
        warnings: what else differs, a sentence each.
    """

    changes: list[Change]
    warnings: list[str]

    @property
    def slower(self) -> bool:
        """Whether anything has become slower."""
        return any(change.verdict == "slower" for change in self.changes)


def require_comparable(
    old: Mapping[str, Any], environment: Mapping[str, Any], settings: Sequence[Setting]
) -> None:
    """See to it, before anything is measured, that there will be something to compare.

    Args:
        environment: this machine's, as in a record.
        settings: what is going to be measured.

    Raises:
        RecordError: the old record is damaged, of another machine, or has none of the settings.
    """
    try:
        compare_records(old, old, tolerance=0.0)  # looks at all that will be looked at
        keys = {_key(row) for row in old["rows"] if "stages" in row}
        before = {name: old["environment"][name] for name in _SAME}
    except (LookupError, TypeError, AttributeError, ZeroDivisionError) as exc:
        raise RecordError("The record is damaged; make it again with --json or --out.") from exc
    if keys.isdisjoint(settings):
        raise RecordError("The record has none of these models and settings; measure its own.")
    for name in _SAME:
        then, now = _plain(before[name]), _plain(environment[name])
        if then != now:
            raise RecordError(
                f"Times of two machines are no regression: its {name} is {then}, here it is {now}; "
                f"compare with a record of this machine."
            )


def compare_records(
    old: Mapping[str, Any], new: Mapping[str, Any], *, tolerance: float
) -> Regression:
    """Compare the rows that two records have in common: the model alone, and from end to end.

    Args:
        new: of the same machine, see `require_comparable`.
        tolerance: by what fraction a time may grow.
    """
    former: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for row in old["rows"]:
        if "stages" in row:
            former.setdefault(_key(row), row)
    changes: list[Change] = []
    warnings = _differences(old, new)
    for number, row in enumerate(new["rows"]):
        if "stages" not in row:
            continue
        before = former.get(_key(row))
        if before is None:
            warnings.append(f"{_name(row)} is not in the old record.")
            continue
        if before["model_sha256"] != row["model_sha256"]:
            warnings.append(f"{row['model']} is another file than it was.")
        if before["delegate"] != row["delegate"]:
            warnings.append(f"{_name(row)} ran on {before['delegate']}, now on {row['delegate']}.")
        stages = ["invoke"]
        # How long a picture takes to decode is the picture's affair.
        if old["pictures_sha256"] == new["pictures_sha256"]:
            stages.append("end_to_end")
        changes += [_change(number, stage, before, row, tolerance) for stage in stages]
    return Regression(changes, list(dict.fromkeys(warnings)))


def _change(
    number: int, stage: str, old: Mapping[str, Any], new: Mapping[str, Any], tolerance: float
) -> Change:
    before, after = old["stages"][stage], new["stages"][stage]
    low = after["p50_low_us"] / before["p50_high_us"]
    high = after["p50_high_us"] / before["p50_low_us"]
    verdict: Verdict = "indistinguishable"
    if low > 1 + tolerance:
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
        f"{name} was {versions.get(name)}, now it is {now.get(name)}."
        for name in sorted(versions.keys() | now.keys())
        if versions.get(name) != now.get(name)
    ]
    if old["pictures_sha256"] != new["pictures_sha256"]:
        found.append("The pictures are others, so that the model alone is compared.")
    if old["interrupted"]:
        found.append("The old run was interrupted.")
    for name, record in (("old", old), ("new", new)):
        if any(conditions["disturbed"] for conditions in record["conditions"].values()):
            found.append(f"The {name} run was disturbed; do not trust the difference.")
    return found


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in _KEYS)


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['model']} on {row['requested']}, threads {row['threads']}, batch {row['batch']}"


def _plain(value: Any) -> str:
    return " ".join(value) if isinstance(value, (list, tuple)) else str(value)
