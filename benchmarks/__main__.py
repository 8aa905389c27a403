"""The command `python -m benchmarks`: accuracy against latency, of our files and of peers.

Exit codes: 0 everything was measured, 1 a row or the report failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from train.startup import start

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the roofline is that of one core
start("export")

from benchmarks import report
from benchmarks import results as stored
from benchmarks.contenders import model_files
from benchmarks.passes import Pass, Request, measure_all
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.support.console import INTERRUPTED
from edge_runtime.support.options import finite
from train.architectures import NETWORKS


def main(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Names of shipped models, or .tflite files.",
            show_default="all shipped ones, and exports/*.tflite",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Read CIFAR-10's binary archive here, see `python -m train cnn`."),
    ] = None,
    reference: Annotated[
        list[Path] | None,
        typer.Option(help="Measure this other CIFAR-10 .tflite file too. Repeatable."),
    ] = None,
    delegate: Annotated[
        list[str] | None,
        typer.Option(
            help="Run on this delegate. Repeatable.", show_default="all that are available"
        ),
    ] = None,
    threads: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Use this many CPU threads. Repeatable.", show_default="1"),
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Pass this many images to a peer at once. Repeatable.", show_default="1"
        ),
    ] = None,
    untrained: Annotated[
        list[str] | None,
        typer.Option(
            help="Time this network with random weights, and nothing else unless a MODEL is "
            f"named: {', '.join(NETWORKS)}. Repeatable."
        ),
    ] = None,
    only: Annotated[
        Pass | None,
        typer.Option(help="Run one pass, and keep the figures of the other pass in --out."),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(min=0, callback=finite, help="Time each network for about this many seconds."),
    ] = 60.0,
    with_peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="Time other runtimes too.")
    ] = True,
    out: Annotated[Path, typer.Option(help="Write the report into this folder.")] = Path(
        "runs/benchmark"
    ),
) -> None:
    """Measure accuracy and latency, and write a report in HTML, PNG, Markdown and JSON."""
    for name in untrained or []:
        if name not in NETWORKS:
            raise typer.BadParameter(
                f"expected one of {', '.join(NETWORKS)}, but got {name}.", param_hint="--untrained"
            )
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # keep what was measured
    try:
        results = stored.read(out / "results.json")
        request = Request(
            files=model_files(models or []) if models or not untrained else [],
            references=[shipped.find(path) for path in reference or []],
            delegates=delegate or [],
            threads=threads or [1],
            batches=batch or [1],
            untrained=untrained or [],
            only=only,
            data=data,
            seconds=seconds,
            with_peers=with_peers,
            out=out,
            say=_say,
        )
        results.write(out / "results.json")  # fail early if the folder cannot be written
    except OSError as exc:
        _say(_unwritable(out, exc))
        raise typer.Exit(2) from None
    except (EdgeRuntimeError, ValueError) as exc:
        _say(str(exc))
        raise typer.Exit(2) from None
    code = 0
    try:
        code = int(not measure_all(request, results))
    except KeyboardInterrupt:
        _say("interrupted; what was measured until then is kept")
        code = INTERRUPTED
    except OSError as exc:
        _say(str(exc))
        code = 1
    try:
        results.write(out / "results.json")
        for path in report.write(results, out):
            typer.echo(path)
    except OSError as exc:
        _say(_unwritable(out, exc))
        code = 1
    raise typer.Exit(code)


def _unwritable(out: Path, exc: OSError) -> str:
    return f"{out} cannot be written ({exc.strerror}); name another folder with --out."


def _say(line: str) -> None:
    typer.echo(f"benchmarks: {line}", err=True)


if __name__ == "__main__":
    typer.run(main)
