"""The command `python -m benchmarks.teaching`: what `edge-teach` is worth on a folder.

Exit codes: 0 everything was measured; 1 the photographs cannot be taught; 2 the command line cannot
be meant, or the output is refused; 130 interrupted.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Annotated, Any

import typer

# Threads of BLAS wait for each other on a busy machine, and `edge-teach` has one as well.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from benchmarks.teaching.cost import CostRow, measure_cost
from benchmarks.teaching.draws import AccuracyRow, compare_heads, halve
from benchmarks.teaching.noise import NoiseRow, find_changed
from benchmarks.teaching.pool import find_pool, read_pool
from edge_runtime.errors import EdgeRuntimeError, OutputError
from edge_runtime.support.files import replacing
from edge_runtime.support.options import run_command
from edge_runtime.support.outputs import output_file
from edge_runtime.support.progress import show_line, terminal
from edge_runtime.teaching.embedding import Embedded
from edge_runtime.teaching.graph import SIDES


def main(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            help="Folder with a folder of photographs for each class. If there are `train` and "
            "`test`, their photographs are pooled.",
        ),
    ],
    photographs: Annotated[
        list[int] | None,
        typer.Option(
            min=2,
            help="Learn from at most this many photographs of each class. Repeatable.",
            show_default="10, 20 and 60",
        ),
    ] = None,
    draws: Annotated[
        int, typer.Option(min=1, help="Divide the photographs at random this many times.")
    ] = 50,
    flips: Annotated[
        float,
        typer.Option(min=0, max=50, help="Change this percentage of the labels; 0: none."),
    ] = 5.0,
    side: Annotated[
        int, typer.Option(help="Side of the model's input in pixels: 128, 160, 192 or 224.")
    ] = SIDES[-1],
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Read this many photographs at once.", show_default="all cores"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as JSON.", metavar="FILE")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file that --out names if it exists.")
    ] = False,
) -> None:
    """Measure accuracy against a ridge head, wrong labels that are found, and cost."""
    if side not in SIDES:
        raise typer.BadParameter(
            f"expected one of {', '.join(map(str, SIDES))}, but got {side}.", param_hint="--side"
        )
    numbers = sorted(set(photographs or [10, 20, 60]))
    threads = threads or os.cpu_count() or 1
    try:
        file = None if out is None else output_file(out, overwrite=overwrite, trial=True)
        record = _measure(folder, numbers, draws, flips / 100, side, threads)
        if file is not None:
            with replacing(file, overwrite=overwrite) as temporary:
                temporary.write_text(json.dumps(_plain(record), indent=1) + "\n")
    except OutputError as exc:
        _say(str(exc))
        raise typer.Exit(2) from None
    except EdgeRuntimeError as exc:
        _say(str(exc))
        raise typer.Exit(1) from None
    except subprocess.CalledProcessError as exc:
        _say(f"edge-teach failed with exit code {exc.returncode}; see its message above.")
        raise typer.Exit(1) from None
    except OSError as exc:
        _say(f"{exc.filename} cannot be written ({exc.strerror}).")
        raise typer.Exit(1) from None
    typer.echo(json.dumps(_plain(record), indent=1) if as_json else _text(record))


def _measure(
    folder: Path, numbers: list[int], draws: int, flips: float, side: int, threads: int
) -> dict[str, Any]:
    """Measure everything."""
    stream = terminal()
    found = find_pool(folder)

    def read(result: Embedded) -> None:
        if result.error is not None:
            show_line("", stream)
            _say(str(result.error))

    show_line("reading the photographs ...", stream)
    pool, photographs = read_pool(found, side, threads, read)
    show_line("edge-teach ...", stream)
    halves = halve(pool.labels, pool.classes, draw=0)
    first = [photographs[at] for at in halves.learn_from(numbers[-1])]
    cost = measure_cost(first, found.classes, side, threads)
    accuracy = compare_heads(pool, numbers, draws, _Counter(draws, "random halves"))
    noise = None
    if flips:
        noise = find_changed(pool, flips, draws, _Counter(draws, "changed labels"))
    show_line("", stream)
    return {
        "photographs": len(photographs),
        "classes": list(found.classes),
        "side": side,
        "draws": draws,
        "accuracy": accuracy,
        "noise": noise,
        "cost": cost,
    }


class _Counter:
    """Shows on a terminal how many draws are done."""

    def __init__(self, draws: int, what: str) -> None:
        self._draws, self._what, self._done = draws, what, 0

    def __call__(self) -> None:
        self._done += 1
        show_line(f"{self._what}: {self._done} of {self._draws}", terminal())


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record with dictionaries for rows."""
    return {
        **record,
        "accuracy": [row._asdict() for row in record["accuracy"]],
        "noise": None if record["noise"] is None else record["noise"]._asdict(),
        "cost": record["cost"]._asdict(),
    }


def _text(record: dict[str, Any]) -> str:
    """Return a record as lines for a person."""
    lines = [
        f"{record['photographs']:,} photographs of {len(record['classes'])} classes, "
        f"{record['side']} x {record['side']} pixels, {record['draws']} draws",
        "",
        "a class   ours  ridge  gain, points   95 % interval  interval holds  its width  agreement",
        *map(_accuracy_line, record["accuracy"]),
        "",
    ]
    if record["noise"] is not None:
        lines += [*_noise_lines(record["noise"]), ""]
    return "\n".join([*lines, *_cost_lines(record["cost"])])


def _accuracy_line(row: AccuracyRow) -> str:
    low, high = row.gain_interval
    return (
        f"{row.photographs:>7} {row.top1:>6.1%} {row.ridge_top1:>6.1%} {row.gain:>+13.1f} "
        f"{f'{low:+.1f} to {high:+.1f}':>15} {row.interval_holds:>15.0%} "
        f"{row.interval_width:>10.1f} {row.agreement:>10.2%}"
    )


def _noise_lines(row: NoiseRow) -> list[str]:
    return [
        f"{row.changed:,} of {row.photographs:,} labels changed: {row.recall:.0%} of these are "
        f"suspects; {row.innocent:.0%} of {row.suspects:.1f} suspects are innocent.",
        f"No label changed: {row.suspects_unchanged:,} suspects.",
    ]


def _cost_lines(row: CostRow) -> list[str]:
    return [
        f"edge-teach, {row.photographs:,} photographs: {row.seconds:.1f} s "
        f"({row.cpu_seconds:.1f} s of CPU time), {row.peak_mib:.0f} MiB",
        f"classify, a ready array: {row.classify_ms:.2f} ms, {row.classify_ratio:.3f} times the "
        f"interpreter's three calls ({row.classify_low:.3f} to {row.classify_high:.3f})",
    ]


def _say(line: str) -> None:
    typer.echo(f"teaching: {line}", err=True)


if __name__ == "__main__":
    run_command(main)
