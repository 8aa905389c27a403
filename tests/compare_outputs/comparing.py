"""Say how two outcomes of the same command differ.

Five kinds of difference are agreed:

- A JSON line of version 0.1 has a `run` object. Since 0.2 it has `accepted`, `model`, `delegate`
  and `layout` instead, and rows of CSV and Parquet have these fields too.
- `--overwrite` and `--scores` are new. Before, results replaced a file without the first.
- Two messages are new: how many files of a folder were left out, and that an option replaces the
  model file's own normalization.
- A command line that cannot be meant exits with 2 and prints no result: a model or delegate that
  does not exist, labels, means or deviations that do not fit, an output that is refused. Before, it
  exited with 1.
- Messages may be worded differently, but there must be as many of them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from itertools import zip_longest
from typing import Any

from tests.compare_outputs.running import Outcome

LAYOUT = 2
AGREED_OPTIONS = {
    *("--accept-all", "--check", "--judge", "--max-error", "--overwrite", "--save", "--scores"),
    *("--second-opinion", "--unsure-below", "--views"),
}
_NEW_MESSAGE = re.compile(r"Left out [\d,]+ files? in folders|--(mean|std) replaces the file's own")
_CANNOT_BE_MEANT = re.compile(
    r"There is no model|expected --delegate|Expected \d+ labels|Expected `(mean|std)`|--out "
)
ADDED = ["accepted", "model", "delegate"]
CSV_COLUMNS = ["source", "frame", "rank", "label", "index", "score", *ADDED, "error", "layout"]
# Values that the clock decides.
_TIMES = [
    (re.compile(r"[\d,.]+ images/s"), "N images/s"),
    (re.compile(r"\(age -?[\d.]+ ms"), "(age N ms"),
    (re.compile(r"\bin [\d.,]+ s\b"), "in N s"),
]
# What edge-benchmark's JSON says besides times.
_BENCHMARK_VALUES = ("model", "requested", "threads", "batch", "error", "delegate", "delegated")
_BENCHMARK_VALUES += ("operations", "outside", "baseline", "sustained_s", "calls_in_a_turn")


class Differences:
    """What differs: what nobody agreed to, and what is only worded differently."""

    def __init__(self, *, loosely: bool = False) -> None:
        """Begin with none.

        Args:
            loosely: a command was stopped. How many images it had classified depends on the
                moment, and where resuming puts an image that failed before.
        """
        self._loosely = loosely
        self.wrong: list[str] = []
        self.reworded: list[tuple[str, str]] = []

    def compare(self, before: Outcome, after: Outcome) -> None:
        """Compare two outcomes of one command."""
        said = " ".join(after.stderr.split())
        if (before.code, after.code) == (1, 2) and _CANNOT_BE_MEANT.search(said):
            self.reworded.append((before.stderr, after.stderr))
            return
        if before.code != after.code:
            self.wrong.append(f"exit code {before.code} before, {after.code} after")
        self._messages(before.stderr, after.stderr)
        if not before.stopped:
            self._output("standard output", before, before.stdout, after.stdout)
        self._files(before, after)

    def _output(self, name: str, outcome: Outcome, before: str, after: str) -> None:
        arguments = outcome.arguments
        if "--help" in arguments:
            options = [{*re.findall(r"--[\w-]+", text)} for text in (before, after)]
            self._equal(
                name, sorted(options[0] | AGREED_OPTIONS), sorted(options[1] | AGREED_OPTIONS)
            )
        elif arguments[0] == "edge-benchmark":
            self._benchmark(name, before, after, is_json="--json" in arguments)
        elif "--info" in arguments and "--json" in arguments:
            self._info(name, before, after)
        elif {"--info", "--delegates", "--version"} & {*arguments}:
            self._messages(before, after)
        elif "--json" in arguments:
            self._json(name, before, after)
        elif "--csv" in arguments:
            self._csv(name, before, after)
        else:
            self._text(name, before, after)

    def _files(self, before: Outcome, after: Outcome) -> None:
        names = [sorted(_stable(name) for name in outcome.files) for outcome in (before, after)]
        if before.stopped:  # how many parts and temporary files there are depends on the moment
            return
        self._equal("files", *names)
        if [name for name in before.files if name.endswith(".parquet")]:
            self._parquet(before.files, after.files)
        jsonl = [_joined(outcome.files, ".jsonl") for outcome in (before, after)]
        if any(jsonl):
            self._json("parts", *jsonl)
        for name, content in before.files.items():
            if name in after.files and re.fullmatch(r"results\.(txt|json|csv)", name):
                contents = (content, after.files[name])
                self._output(name, before, *(c.decode(errors="surrogateescape") for c in contents))

    def _equal(self, name: str, before: Any, after: Any) -> None:
        if before != after:
            self.wrong.append(f"{name}:\n  before: {before!r:.1500}\n  after:  {after!r:.1500}")

    def _messages(self, before: str, after: str) -> None:
        lines = [_without_times(text).splitlines() for text in (before, after)]
        lines[1] = [line for line in lines[1] if not _NEW_MESSAGE.search(line)]
        if self._loosely:  # it may have been stopped before an image that fails
            lines = [[re.sub(r"[\d,]+", "N", line) for line in of_one] for of_one in lines]
            lines = [[line for line in of_one if "is not an image" not in line] for of_one in lines]
        if len(lines[0]) != len(lines[1]):
            self._equal("messages", *lines)
            return
        self.reworded += [pair for pair in zip(*lines, strict=True) if pair[0] != pair[1]]

    def _text(self, name: str, before: str, after: str) -> None:
        lines = [_without_times(text).splitlines() for text in (before, after)]
        for one, other in zip_longest(*lines, fillvalue=""):
            if one != other:
                has_scores = re.search(r"\d\.\d{3}", one + other)
                if one and other and not has_scores:  # as when no class reaches the threshold
                    self.reworded.append((one, other))
                else:
                    self._equal(name, one, other)

    def _json(self, name: str, before: str, after: str) -> None:
        lines = before.splitlines(), after.splitlines()
        if self._loosely:
            lines = sorted(lines[0]), sorted(lines[1])
        self._equal(f"number of lines of {name}", *map(len, lines))
        for one, other in zip(*lines, strict=False):
            first, second = json.loads(one), json.loads(other)
            self._equal(f"spelling of {name}", json.dumps(second), other)
            if _is_newer(second, than=first):
                run = first.pop("run", {"delegate": None})
                self._added(name, second, [True, run["delegate"]])
            self._error(first, second)
            for line in (first, second):
                line.update({key: "N" for key in ("captured_at", "age_ms") if key in line})
            self._equal(name, [*first.items()], [*second.items()])  # with the order of the keys

    def _csv(self, name: str, before: str, after: str) -> None:
        self._equal(f"line ends of {name}", before.count("\r\n"), after.count("\r\n"))
        tables = [list(csv.DictReader(io.StringIO(text, newline=""))) for text in (before, after)]
        self._equal(f"number of rows of {name}", *map(len, tables))
        if self._loosely:
            tables = [
                sorted(table, key=lambda row: (row["source"], row["rank"])) for table in tables
            ]
        for first, second in zip(*tables, strict=False):
            if _is_newer(second, than=first):
                self._equal(f"columns of {name}", CSV_COLUMNS, [*second])
                self._added(name, second, ["true", "xnnpack", "cpu"])
            self._error(first, second)
            self._equal(name, first, second)

    def _parquet(self, before: dict[str, bytes], after: dict[str, bytes]) -> None:
        tables = [_rows_of_parquet(files) for files in (before, after)]
        self._equal("number of rows of Parquet", *map(len, tables))
        for first, second in zip(*tables, strict=False):
            if _is_newer(second, than=first):
                self._added("Parquet", second, [True, "xnnpack"])
            self._error(first, second)
            self._equal("Parquet", first, second)

    def _added(self, name: str, row: dict[str, Any], expected: list[Any]) -> None:
        """Take the fields out of a row that layout 2 adds, and check them.

        Args:
            expected: the value of `accepted`, and the possible delegates.
        """
        layout = row.pop("layout")
        self._equal(f"layout of {name}", str(LAYOUT), str(layout))
        accepted, model, delegate = (row.pop(key, None) for key in ADDED)
        if row.get("error"):
            self._equal(f"fields of an error in {name}", [], [v for v in (accepted, model) if v])
        elif accepted != expected[0] or not model or delegate not in expected[1:]:
            self.wrong.append(f"{name}: accepted={accepted} model={model} delegate={delegate}")

    def _error(self, first: dict[str, Any], second: dict[str, Any]) -> None:
        one, other = first.get("error"), second.get("error")
        if one and other and one != other:
            self.reworded.append((one, other))
            first["error"] = second["error"] = "reworded"

    def _info(self, name: str, before: str, after: str) -> None:
        for one, other in zip_longest(before.splitlines(), after.splitlines(), fillvalue="{}"):
            first, second = json.loads(one), json.loads(other)
            if _is_newer(second, than=first):
                self._added(name, second, [])
            self._error(first, second)
            self._equal(name, first, second)

    def _benchmark(self, name: str, before: str, after: str, *, is_json: bool) -> None:
        if is_json and before and after:
            first, second = json.loads(before), json.loads(after)
            self._equal(f"keys of {name}", sorted(_keys(first)), sorted(_keys(second)))
            self._equal(f"values of {name}", _values(first), _values(second))
        else:
            self._equal(f"rows of {name}", before.count("\n\n"), after.count("\n\n"))


def _is_newer(row: dict[str, Any], *, than: dict[str, Any]) -> bool:
    return "layout" in row and "layout" not in than


def _without_times(text: str) -> str:
    for pattern, replacement in _TIMES:
        text = pattern.sub(replacement, text)
    return text


def _stable(name: str) -> str:
    """Return a file's name without a random part."""
    return re.sub(r"[0-9a-f]{16,}", "X", name)


def _joined(files: dict[str, bytes], suffix: str) -> str:
    return b"".join(files[n] for n in sorted(files) if n.endswith(suffix) and "/" in n).decode()


def _rows_of_parquet(files: dict[str, bytes]) -> list[dict[str, Any]]:
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    for name in sorted(files):
        if name.endswith(".parquet"):
            rows += pq.read_table(io.BytesIO(files[name])).to_pylist()
    return rows


def _keys(value: Any, path: str = "") -> set[str]:
    """Return the paths of all keys; the elements of a list count as one."""
    if isinstance(value, dict):
        inner = [_keys(v, f"{path}.{key}") for key, v in value.items()]
        return {path}.union(*inner)
    if isinstance(value, list):
        return {path}.union(*(_keys(v, f"{path}[]") for v in value))
    return {path}


def _values(value: Any) -> list[tuple[str, Any]]:
    """Return what a record says of its rows, besides times."""
    if isinstance(value, list):
        return [pair for v in value for pair in _values(v)]
    if not isinstance(value, dict):
        return []
    found = [(key, v) for key, v in value.items() if key in _BENCHMARK_VALUES]
    found = [(key, bool(v) if key == "error" else v) for key, v in found]
    return found + [pair for v in value.values() for pair in _values(v)]
