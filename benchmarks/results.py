"""The results of `python -m benchmarks`, and the JSON file that stores them.

Runs into the same folder add up: new figures replace the previous figures of a row. If the model
file of a row has changed, the row starts over. Times from another machine are dropped.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge_runtime.support.files import replacing

OURS = "edge_runtime"
ACCURACY = "accuracy"  # name of a pass
LATENCY = "latency of "  # start of the name of a pass; the name of its network follows


@dataclass(frozen=True)
class Subject:
    """What a row measures: a model file on a runtime, with its options.

    Attributes:
        network: name of the network, such as "cnn", or of a foreign file.
        precision: precision as in the file names of exports.
        runtime: `edge_runtime` or the name of a peer.
        delegate: delegate of `edge_runtime`; empty for peers.
        threads: number of CPU threads.
        batch: images per call.
        trained: whether the weights are trained; if not, only the speed is meaningful.
    """

    network: str
    precision: str
    runtime: str = OURS
    delegate: str = ""
    threads: int = 1
    batch: int = 1
    trained: bool = True

    @property
    def name(self) -> str:
        """The name of the row, which is unique."""
        parts = (
            f"{self.network}-{self.precision}",
            self.run_by,
            "" if self.trained else "random weights",
        )
        return ", ".join(filter(None, parts))

    @property
    def run_by(self) -> str:
        """The runtime with its options."""
        parts = (
            self.runtime,
            self.delegate,
            f"{self.threads} threads" if self.threads > 1 else "",
            f"batch {self.batch}" if self.batch > 1 else "",
        )
        return ", ".join(filter(None, parts))


@dataclass
class Row:
    """A subject with its figures, or the reasons why there are none.

    Attributes:
        subject: what was measured.
        size_bytes: total size of its files.
        sha256: SHA-256 that identifies its files.
        macs: multiply-adds per image.
        accuracy: figures of the accuracy pass, see `benchmarks.accuracy_pass.figures`.
        latency: figures of the latency pass: `edge_runtime.support.timing.Summary`, the
            comparison with the reference row, `complete`, `machine` and `of_peak`.
        reasons: why "accuracy" or "latency" is missing, one sentence each.
    """

    subject: Subject
    size_bytes: int | None = None
    sha256: str = ""
    macs: int | None = None
    accuracy: dict[str, Any] | None = None
    latency: dict[str, Any] | None = None
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def p50_us(self) -> float:
        """Median latency per image in microseconds; infinity if it was not measured."""
        return float(self.latency["p50_us"]) if self.latency else float("inf")

    @property
    def top1(self) -> float:
        """Top-1 accuracy, a fraction; 0 if it was not measured."""
        return float(self.accuracy["top1"]) if self.accuracy else 0.0


@dataclass
class Results:
    """All rows, and the conditions of each pass.

    Attributes:
        rows: the rows by the name of their subject.
        passes: for each pass, the machine, its environment, what disturbed the pass, and whether
            the pass was completed.
        peak: by network and precision, the multiply-adds per second that a core can do at most.
        cross_check: times by `litert-benchmark` beside ours.
        classes: class names in the order of the scores.
        thumbnails: test images as PNG data URIs by index, which a row classifies differently.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    passes: dict[str, dict[str, Any]] = field(default_factory=dict)
    peak: dict[str, dict[str, Any]] = field(default_factory=dict)
    cross_check: list[dict[str, Any]] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    thumbnails: dict[str, str] = field(default_factory=dict)

    def row(self, subject: Subject, *, size_bytes: int | None = None, sha256: str = "") -> Row:
        """Return the row of a subject; if its files have not changed, with its previous figures."""
        row = self.rows.get(subject.name)
        if row is None or row.sha256 != sha256:
            row = self.rows[subject.name] = Row(subject, size_bytes, sha256)
        return row

    def forget(self, machine: str | None) -> None:
        """Drop rows without figures, and times that were measured on another machine.

        What was measured together with these times is dropped as well.

        Args:
            machine: this machine, see `benchmarks.latency_pass.machine`; None keeps all times.
        """
        self.rows = {n: row for n, row in self.rows.items() if row.accuracy or row.latency}
        for row in self.rows.values():
            if machine and row.latency and row.latency.get("machine") != machine:
                row.reasons["latency"] = (
                    f"the previous times are from another machine, "
                    f"{row.latency.get('machine', 'an unknown one')}"
                )
                row.latency = None
        if machine:
            self.passes = {
                name: record
                for name, record in self.passes.items()
                if not name.startswith(LATENCY) or record.get("machine") == machine
            }
            self.peak = {
                network: peaks
                for network, peaks in self.peak.items()
                if f"{LATENCY}{network}" in self.passes
            }
            timed = {name for name, row in self.rows.items() if row.latency}
            self.cross_check = [found for found in self.cross_check if found["name"] in timed]

    def write(self, path: Path) -> None:
        """Write the results as JSON in full precision, atomically.

        Raises:
            OSError: the file cannot be written.
        """
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(self.record(), indent=1) + "\n")

    def record(self) -> dict[str, Any]:
        """Return the results as JSON types."""
        rows = [{"name": name} | asdict(row) for name, row in self.rows.items()]
        return asdict(self) | {"rows": rows}


def read(path: Path) -> Results:
    """Read the results of previous runs; if there is no file, return empty results.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is damaged.
    """
    if not path.exists():
        return Results()
    try:
        record = json.loads(path.read_text())
        rows = {
            row.pop("name"): Row(**row | {"subject": Subject(**row["subject"])})
            for row in record.pop("rows")
        }
        return Results(rows=rows, **record)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise ValueError(
            f"{path} is damaged or from another version; remove it, or choose another folder with "
            f"--out."
        ) from exc
