"""The options of `edge-teach`, read by Typer, and its entry point.

The report goes to stdout and everything else to stderr. Exit codes: 0 the model was written, even
if photographs were left out; 1 the photographs cannot be taught; 2 the command line cannot be
meant, or the output is refused; 130 stopped.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from edge_runtime.support.console import INTERRUPTED, complain, run_to_end
from edge_runtime.support.cores import usable_cores
from edge_runtime.support.options import make_app, version_printer
from edge_runtime.support.progress import terminal
from edge_runtime.teaching.progress import Bar

_PROGRAM = "edge-teach"

app = make_app()


def main() -> NoReturn:
    """Run the command; the entry point of the console script."""
    run_to_end(_PROGRAM, app)


@app.command()
def teach(
    folder: Annotated[
        Path,
        typer.Argument(
            help="Folder that holds a folder of photographs for each class. `none-of-these` holds "
            "counter-examples. If it holds `train` and `test`, the model learns from the first and "
            "is judged on the second.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Write the model to this file.", metavar="FILE")] = Path(
        "taught.tflite"
    ),
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Judge the model on the photographs of this folder, from which it does not learn. "
            "If it holds `train` and `test`, the second counts.",
        ),
    ] = None,
    side: Annotated[
        int,
        typer.Option(
            help="Side of the model's input in pixels: 128, 160, 192 or 224. Smaller is faster "
            "and less accurate.",
        ),
    ] = 224,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, max=1024, help="Read this many photographs at once. Default: all cores."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file that --out names if it exists.")
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
    """Teach a model your own classes from photographs in folders."""
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    from edge_runtime.errors import EdgeRuntimeError, OutputError
    from edge_runtime.teaching.graph import SIDES
    from edge_runtime.teaching.teach import teach as learn

    say = partial(complain, program=_PROGRAM)
    if side not in SIDES:
        raise typer.BadParameter(
            f"expected one of {', '.join(map(str, SIDES))}, but got {side}.", param_hint="--side"
        )
    progress = Bar(terminal())
    try:
        report = learn(
            folder,
            out,
            test=test,
            side=side,
            threads=threads or usable_cores(),
            overwrite=overwrite,
            progress=progress,
        )
    except KeyboardInterrupt:
        progress.clear()
        say("stopped; no model was written, but the features of the photographs so far are kept.")
        raise typer.Exit(INTERRUPTED) from None
    except OutputError as exc:
        progress.clear()
        say(str(exc))
        raise typer.Exit(2) from None
    except EdgeRuntimeError as exc:
        progress.clear()
        say(str(exc))
        raise typer.Exit(1) from None
    progress.clear()
    for sentence in report.unreadable:
        say(sentence)
    if report.unreadable:
        say(f"left out what cannot be read: {len(report.unreadable):,}.")
    if report.left_out:
        say(report.left_out)
    typer.echo(json.dumps(report.record(), indent=1) if as_json else report.text())
