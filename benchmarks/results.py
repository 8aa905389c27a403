"""What a run of `python -m benchmarks` measured, and the JSON file that keeps it.

Runs into the same folder add up: a row that is measured again replaces the old figures, and a row
whose model file has changed starts anew. Times of another machine are dropped.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge_runtime.support.files import replacing

OURS = "edge_runtime"
ACCURACY = "accuracy"  # the name of a pass
LATENCY = "latency of "  # and a network: so are its passes called


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        network: "cnn", or the name of a foreign file.
        precision: as in the file names of exports.
        runtime: `edge_runtime` or a peer.
        delegate: of `edge_runtime` and LiteRT; empty for other peers.
        threads: of the CPU.
        batch: images a call.
        trained: whether its weights are; if not, only its speed means something.
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
        """One line for people; unique."""
        parts = [f"{self.network}-{self.precision}", self.runtime, self.delegate]
        parts += [f"{self.threads} threads"] * (self.threads > 1)
        parts += [f"batch {self.batch}"] * (self.batch > 1)
        parts += ["random weights"] * (not self.trained)
        return ", ".join(filter(None, parts))


@dataclass
class Row:
    """A subject with its figures, or the reasons why there are none.

    Attributes:
        size_bytes: of its file or files.
        sha256: of the file, or of the weights that it was made of.
        macs: multiply-adds an image.
        accuracy: see `benchmarks.accuracy_pass`.
        latency: see `benchmarks.latency_pass`.
        reasons: why there is no "accuracy" or "latency", one sentence each.
    """

    subject: Subject
    size_bytes: int | None = None
    sha256: str = ""
    macs: int | None = None
    accuracy: dict[str, Any] | None = None
    latency: dict[str, Any] | None = None
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass
class Results:
    """All rows, and the circumstances of each pass.

    Attributes:
        passes: by the name of the pass: machine, environment, conditions, and whether it was
            interrupted.
        roofline: by network and precision: the multiply-adds a second that a GEMM reached.
        cross_check: rows of `litert-benchmark` against ours.
        classes: names in the order of the scores.
        thumbnails: flipped test images as PNG data URIs, by their index.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    passes: dict[str, dict[str, Any]] = field(default_factory=dict)
    roofline: dict[str, dict[str, Any]] = field(default_factory=dict)
    cross_check: list[dict[str, Any]] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    thumbnails: dict[str, str] = field(default_factory=dict)

    def row(self, subject: Subject, *, size_bytes: int | None = None, sha256: str = "") -> Row:
        """Return the row of a subject, with earlier figures where its file is still the same."""
        row = self.rows.get(subject.name)
        if row is None or row.sha256 != sha256:
            row = self.rows[subject.name] = Row(subject, size_bytes, sha256)
        return row

    def forget(self, machine: str | None) -> None:
        """Drop rows that were only named as not to be measured, and times of another machine.

        With the times goes what was measured beside them.

        Args:
            machine: the one that measures now, see `latency_pass.machine`; None keeps all times.
        """
        self.rows = {n: row for n, row in self.rows.items() if row.accuracy or row.latency}
        for row in self.rows.values():
            if machine and row.latency and row.latency.get("machine") != machine:
                row.reasons["latency"] = (
                    f"it was last measured on another machine, "
                    f"{row.latency.get('machine', 'an unknown one')}"
                )
                row.latency = None
        if machine:
            self.passes = {
                name: record
                for name, record in self.passes.items()
                if not name.startswith(LATENCY) or record.get("machine") == machine
            }
            self.roofline = {
                network: probes
                for network, probes in self.roofline.items()
                if f"{LATENCY}{network}" in self.passes
            }
            timed = {name for name, row in self.rows.items() if row.latency}
            self.cross_check = [found for found in self.cross_check if found["name"] in timed]

    def write(self, path: Path) -> None:
        """Write all of it as JSON, in full precision, atomically."""
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(self.record(), indent=1) + "\n")

    def record(self) -> dict[str, Any]:
        """Return all of it as JSON types."""
        rows = [{"name": name} | asdict(row) for name, row in self.rows.items()]
        return asdict(self) | {"rows": rows}


def read(path: Path) -> Results:
    """Read what an earlier run wrote; nothing, if there was none.

    Raises:
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
            f"{path} is damaged ({exc!r}); remove it, or choose another --out."
        ) from exc
