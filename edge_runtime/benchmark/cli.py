"""The options of `edge-benchmark`, read by Typer, and its entry point.

Results go to stdout and everything else to stderr. Exit codes: 0 all measured, 1 some row or
picture could not be, 2 wrong usage, 3 slower than the record that `--compare` names, 130 stopped.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.support.console import INTERRUPTED, complain, run_to_end
from edge_runtime.support.files import target
from edge_runtime.support.options import finite, make_app, version_printer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_runtime.benchmark.session import Session

_PROGRAM = "edge-benchmark"
_SLOWER = 3

app = make_app()


def main() -> NoReturn:
    """Run the command; the entry point of the console script."""
    run_to_end(_PROGRAM, app)


@app.command()
def benchmark(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]",
            help="Names of shipped models, or .tflite files; without any, all shipped ones.",
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="A picture, directory or glob in place of the samples; may be repeated.",
        ),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(min=1, max=1024, help="CPU threads, 1 if not given; may be repeated."),
    ] = None,
    delegate: Annotated[
        list[str] | None,
        typer.Option(help="As for edge-classify, xnnpack if not given; may be repeated."),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Images at once, 1 if not given; may be repeated."),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="What the others are compared with; else the first."),
    ] = None,
    calls: Annotated[
        int | None,
        typer.Option(
            min=20,
            help="Of each row, or a few more; else as many as fit into 8 s, at most 1,000.",
        ),
    ] = None,
    cold_starts: Annotated[int, typer.Option(min=0, help="Processes started for each row.")] = 5,
    sustained: Annotated[
        float,
        typer.Option(
            min=0, callback=finite, metavar="SECONDS", help="Then run each row for so long."
        ),
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of tables.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the JSON to this file as well.")] = None,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="OLD.json", help="Exit with 3 if slower than this former record."),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0, callback=finite, metavar="PERCENT", help="By which --compare lets times grow."
        ),
    ] = 10.0,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=version_printer(_PROGRAM),
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Say how fast models are on this device, and which of two is faster."""
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # keep what was measured
    from edge_runtime.benchmark.environment import read_environment
    from edge_runtime.benchmark.pictures import find_pictures
    from edge_runtime.benchmark.pipeline import sweep
    from edge_runtime.benchmark.record import read, require_writable
    from edge_runtime.benchmark.regression import require_comparable
    from edge_runtime.benchmark.session import Plan, run
    from edge_runtime.inference import shipped

    names = models or list(shipped.models())
    if baseline is not None and baseline not in names:
        raise typer.BadParameter(
            f"expected --baseline to be one of {', '.join(names)}, but got {baseline}."
        )
    if "" in (delegate or []):
        raise typer.BadParameter("expected --delegate to be a name, but got an empty one.")
    if out is not None:
        try:
            out = target(out)
            require_writable(out)
        except OSError as exc:
            raise typer.BadParameter(f"--out {out}: {exc.strerror}.") from exc
        except EdgeRuntimeError as exc:
            raise typer.BadParameter(str(exc)) from exc
    settings = sweep(names, delegate or ["xnnpack"], threads or [1], batch or [1])
    old = None
    if compare is not None:
        try:
            old = read(compare)
            require_comparable(old, read_environment().record(), settings)
        except EdgeRuntimeError as exc:
            raise typer.BadParameter(f"--compare {compare}: {exc}") from exc
    try:
        pictures = find_pictures(images or [], _complain)
    except EdgeRuntimeError as exc:
        _complain(str(exc))
        raise typer.Exit(1) from exc
    plan = Plan(settings, pictures, baseline, calls, cold_starts, sustained)
    show = _progress()
    session = run(plan, show, measured=_let_it_be_written)
    show("")
    raise typer.Exit(_publish(session, as_json, out, compare, old, tolerance / 100))


def _let_it_be_written() -> None:
    """Let no second Ctrl-C lose what was measured."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _publish(
    session: Session,
    as_json: bool,
    out: Path | None,
    compare: Path | None,
    old: Mapping[str, Any] | None,
    tolerance: float,
) -> int:
    """Write the results, and return the exit code."""
    import json

    from edge_runtime.benchmark.record import to_record, write
    from edge_runtime.benchmark.regression import compare_records
    from edge_runtime.benchmark.table import regression_text, to_text

    record = to_record(session)
    regression = None
    if old is not None and session.baseline is not None:
        regression = compare_records(old, record, tolerance=tolerance)
        record["regression"] = {
            "tolerance": tolerance,
            "changes": [change._asdict() for change in regression.changes],
            "warnings": regression.warnings,
        }
    try:
        if as_json:
            print(json.dumps(record, indent=1))
            for row in session.rows:
                if row.error:
                    _complain(row.error)
        else:
            print(to_text(session, bold=sys.stdout is not None and sys.stdout.isatty()), end="")
            if regression:
                print(regression_text(regression, session, str(compare), tolerance), end="")
        if sys.stdout is not None:
            sys.stdout.flush()
    finally:  # also when the reader of standard output has left
        if out is not None:
            write(record, out)
    if session.interrupted:
        _complain("interrupted; what was measured until then is marked as incomplete.")
        return INTERRUPTED
    if regression and regression.slower:
        _complain(f"slower than {compare} by more than {tolerance:.0%}.")
        return _SLOWER
    failed = any(row.error or row.too_short for row in session.rows)
    return int(bool(session.plan.pictures.failed or failed))


def _complain(sentence: str) -> None:
    complain(sentence, program=_PROGRAM)


def _progress() -> Callable[[str], None]:
    """Return what shows on a terminal what is being done."""
    from edge_runtime.support.progress import terminal

    stream = terminal()

    def show(text: str) -> None:
        if stream is not None:
            stream.write(f"\r\033[K{text}")
            stream.flush()

    return show
