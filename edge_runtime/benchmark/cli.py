"""The options of `edge-benchmark`, read by Typer, and its entry point.

Results go to stdout and everything else to stderr. Exit codes: 0 everything was measured; 1 a
model, an image or a delegate failed; 2 the command line cannot be meant, so that nothing was
measured; 3 slower than the record that `--compare` names; 130 interrupted.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.support.console import complain, run_to_end
from edge_runtime.support.options import finite, make_app, version_printer
from edge_runtime.support.progress import show_line, terminal

_PROGRAM = "edge-benchmark"

app = make_app()


def main() -> NoReturn:
    """Run the command; the entry point of the console script."""
    run_to_end(_PROGRAM, app)


@app.command()
def benchmark(
    context: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL...]",
            help="Names of shipped models, or .tflite files. Default: all shipped models.",
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Classify this image, directory or glob instead of the samples. Repeatable.",
        ),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(min=1, max=1024, help="Use this many CPU threads. Default: 1. Repeatable."),
    ] = None,
    delegate: Annotated[
        list[str] | None,
        typer.Option(
            help="Run on this delegate, as in edge-classify. Default: xnnpack. Repeatable."
        ),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Pass this many images to the model at once. Default: 1. Repeatable."
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL", help="Compare the others with this model. Default: the first model."
        ),
    ] = None,
    calls: Annotated[
        int | None,
        typer.Option(
            min=20,
            help="Time at least this many calls per row. Default: as many as fit in 8 s, at most "
            "1,000.",
        ),
    ] = None,
    cold_starts: Annotated[
        int, typer.Option(min=0, help="Start this many new processes per row.")
    ] = 5,
    sustained: Annotated[
        float,
        typer.Option(
            min=0,
            callback=finite,
            metavar="SECONDS",
            help="Finally, run each row for this long without a pause.",
        ),
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    out: Annotated[Path | None, typer.Option(help="Write the JSON to this file as well.")] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the file that --out names if it exists."),
    ] = False,
    compare: Annotated[
        Path | None,
        typer.Option(
            metavar="OLD.json",
            help="Compare with this previous record, and exit with 3 if a row is slower.",
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option(
            min=0,
            callback=finite,
            metavar="PERCENT",
            help="Slowdown that --compare tolerates, in percent.",
        ),
    ] = 10.0,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="Find the fastest delegate, threads and processes that give the CPU's results, "
            "and keep them for --delegate auto.",
        ),
    ] = False,
    forget: Annotated[
        bool,
        typer.Option(
            "--forget", help="With --tune, remove what was kept, for the models or for all."
        ),
    ] = False,
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
    """Measure how fast models are on this device, and which of them is faster."""
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was measured is to be kept
    from edge_runtime.benchmark.checks import (
        check_names,
        check_out,
        check_tune,
        comparable,
        known_inputs,
    )
    from edge_runtime.benchmark.images import find_images
    from edge_runtime.benchmark.pipeline import sweep
    from edge_runtime.benchmark.publish import publish
    from edge_runtime.benchmark.run import run
    from edge_runtime.benchmark.session import Plan
    from edge_runtime.benchmark.tune_command import forget_models, tune_models
    from edge_runtime.inference import shipped

    say = partial(complain, program=_PROGRAM)
    show = partial(show_line, stream=terminal())
    check_tune(context, tune, forget)
    names = models or list(shipped.models())
    if baseline is not None and baseline not in names:
        raise typer.BadParameter(
            f"expected --baseline to be one of {', '.join(names)}, but got {baseline}."
        )
    if overwrite and out is None:
        raise typer.BadParameter("--overwrite needs --out.")
    delegates = delegate or ["xnnpack"]
    check_names(names, delegates)
    if forget:
        raise typer.Exit(forget_models(models or [], say))
    record = None
    if out is not None:
        inputs = known_inputs(names, delegates, images or [], compare)
        record = check_out(out, inputs, overwrite=overwrite)
    settings = sweep(names, delegates, threads or [1], batch or [1])
    previous = None if compare is None else comparable(compare, tolerance / 100, settings)
    try:
        found = find_images(images or [], say)
    except EdgeRuntimeError as exc:
        say(str(exc))
        raise typer.Exit(1) from exc
    if out is not None:  # the images may come from standard input
        check_out(out, found.paths, overwrite=overwrite)
    if tune:
        raise typer.Exit(tune_models(names, found, say, show, calls=calls, as_json=as_json))
    plan = Plan(settings, found, baseline, calls, cold_starts, sustained)
    session = run(plan, show, on_measured=_ignore_interruptions)
    show("")
    raise typer.Exit(
        publish(session, say, as_json=as_json, out=record, overwrite=overwrite, previous=previous)
    )


def _ignore_interruptions() -> None:
    """Ignore Ctrl-C and SIGTERM from now on, so that a second one loses no results."""
    import signal

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
