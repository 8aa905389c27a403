"""What teaching found, as Python objects, as JSON and as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edge_runtime.inference import shipped
from edge_runtime.inputs.class_folders import COUNTER_EXAMPLES

_MOST_LINES = 10  # of each list in the text; JSON has all
FEW_PHOTOGRAPHS = 5  # a class, below which figures say little


class Accuracy(NamedTuple):
    """An accuracy with its 95 % interval, fractions.

    Attributes:
        top1: share of the photographs whose best class is theirs.
        low: lower end of the interval.
        high: upper end of the interval.
        photographs: on how many it was measured.
    """

    top1: float
    low: float
    high: float
    photographs: int

    def __str__(self) -> str:
        return f"{self.top1:.1%} (95 % interval {self.low:.1%} to {self.high:.1%})"


class Confusion(NamedTuple):
    """Photographs of one class that are taken for another.

    Attributes:
        label: their class.
        taken_for: the class that has the best score.
        photographs: how many there are.
    """

    label: str
    taken_for: str
    photographs: int


class Mislabelled(NamedTuple):
    """A photograph that looks mislabelled.

    Attributes:
        path: of the file.
        label: its class.
        looks_like: the class that it looks like.
        probability: that the label is wrong, 0-1.
    """

    path: str
    label: str
    looks_like: str
    probability: float


class NearDoubles(NamedTuple):
    """Two photographs that are nearly the same.

    Attributes:
        first: path of one of them.
        second: path of the other.
        across: whether they are in different classes.
    """

    first: str
    second: str
    across: bool


class CurvePoint(NamedTuple):
    """The accuracy to expect from fewer photographs.

    Attributes:
        photographs: of each class.
        top1: accuracy, a fraction.
    """

    photographs: int
    top1: float


@dataclass(frozen=True, kw_only=True)
class TeachingReport:
    """What teaching made and found.

    Attributes:
        path: the model file.
        size: of the file, in bytes.
        side: of the model's input, in pixels.
        classes: number of photographs of each class, by its name.
        counter_examples: number of photographs of none of the classes.
        expected: accuracy to expect on new photographs, by cross-validation.
        threshold: best scores below it count as none of the classes.
        accepted: share of the classes' photographs that score at least the threshold.
        counter_examples_accepted: share of the counter-examples that do; None without any.
        confusions: most frequent first.
        mislabelled: most probable first.
        near_doubles: those across classes first.
        curve: accuracy against photographs a class, up to all of them.
        tested: accuracy on the photographs of `test`; None if there is none that is new.
        test_confusions: on these photographs, most frequent first.
        test_left_out: a sentence about photographs of `test` that the model learnt from, which do
            not count; empty if there are none.
        unreadable: a sentence for each photograph or folder that was left out.
        left_out: a sentence about other files in the folders; empty if there are none.
        agreement: share of the classes' photographs to which the quantized head gives the class it
            gave before it was quantized.
        seconds: that teaching took.
    """

    path: Path
    size: int
    side: int
    classes: dict[str, int]
    counter_examples: int
    expected: Accuracy
    threshold: float
    accepted: float
    counter_examples_accepted: float | None
    confusions: tuple[Confusion, ...]
    mislabelled: tuple[Mislabelled, ...]
    near_doubles: tuple[NearDoubles, ...]
    curve: tuple[CurvePoint, ...]
    tested: Accuracy | None
    test_confusions: tuple[Confusion, ...]
    test_left_out: str
    unreadable: tuple[str, ...]
    left_out: str
    agreement: float
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        fields = asdict(self)
        fields["path"] = str(self.path)
        for key, value in fields.items():
            if isinstance(value, Accuracy):
                fields[key] = value._asdict()
            elif isinstance(value, tuple):
                fields[key] = [v._asdict() if hasattr(v, "_asdict") else v for v in value]
        return fields

    def text(self) -> str:
        """Return the report as lines for a person."""
        lines = [f"{_count(sum(self.classes.values()))} of {len(self.classes)} classes"]
        width = max(map(len, [*self.classes, COUNTER_EXAMPLES if self.counter_examples else ""]))
        for name, count in self.classes.items():
            note = "  (few: the figures below say little)" if count < FEW_PHOTOGRAPHS else ""
            lines.append(f"  {name:<{width}} {count:>6,}{note}")
        if self.counter_examples:
            lines.append(f"  {COUNTER_EXAMPLES:<{width}} {self.counter_examples:>6,}")
        lines += ["", f"Expected on new photographs like these: {self.expected}"]
        if self.tested is not None:
            lines.append(f"On {_count(self.tested.photographs, 'test ')}: {self.tested}")
        if self.test_left_out:
            lines.append(self.test_left_out)
        lines.append(
            f"Threshold for none of these: {self.threshold:.2f}, which {self.accepted:.1%} of the "
            f"photographs reach{self._counter_examples()}."
        )
        lines += self._curve()
        confusions = [
            f"  {c.label} taken for {c.taken_for}: {c.photographs}" for c in self.confusions
        ]
        lines += _section("Most confused", confusions)
        lines += _section(
            "Possibly mislabelled",
            [
                f"  {m.path}: in {m.label}, looks like {m.looks_like} ({m.probability:.0%})"
                for m in self.mislabelled
            ],
        )
        lines += _section(
            "Nearly the same photograph",
            [
                f"  {d.first} and {d.second}{' (in two classes)' if d.across else ''}"
                for d in self.near_doubles
            ],
        )
        lines += [
            "",
            f"{self.path}: {self.size:,} bytes, {self.side} x {self.side} pixels, "
            f"{self.seconds:.1f} s",
            f"Next: edge-classify --model {_quoted(self.path)} PHOTOGRAPH",
        ]
        return "\n".join(lines)

    def _counter_examples(self) -> str:
        if self.counter_examples_accepted is None:
            return ""
        return f", and {self.counter_examples_accepted:.1%} of the counter-examples"

    def _curve(self) -> list[str]:
        if len(self.curve) < 2:
            return []
        points = ", ".join(f"{p.photographs}: {p.top1:.1%}" for p in self.curve)
        gain = 100 * (self.curve[-1].top1 - self.curve[-2].top1)
        verdict = (
            "More photographs will probably help."
            if gain >= 1
            else "More photographs of the same kind will probably help little."
        )
        return [f"Accuracy by photographs a class: {points}. {verdict}"]


def _section(title: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    more = (
        [f"  and {len(lines) - _MOST_LINES} more; --json lists all"]
        if len(lines) > _MOST_LINES
        else []
    )
    return ["", f"{title}:", *lines[:_MOST_LINES], *more]


def _count(photographs: int, kind: str = "") -> str:
    return f"{photographs:,} {kind}photograph{'s' if photographs != 1 else ''}"


def _quoted(path: Path) -> str:
    import shlex

    # Without a folder, the name of a shipped model would name that model.
    return shlex.quote(f"./{path}" if str(path) in shipped.models() else str(path))
