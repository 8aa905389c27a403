"""The command `python -m benchmarks`: accuracy against latency, of our files and of peers.

Exit codes: 0 everything was measured; 1 a row or the report failed; 2 the command line cannot be
meant, so that nothing was measured; 130 interrupted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from train.startup import start

start("export")

from benchmarks import report
from benchmarks import results as stored
from benchmarks.contenders import model_files
from benchmarks.passes import Pass, Request, measure_all
from edge_runtime.errors import EdgeRuntimeError, OutputError
from edge_runtime.inference import shipped
from edge_runtime.inference.placement import require_delegate
from edge_runtime.support.console import INTERRUPTED
from edge_runtime.support.options import finite, run_command
from edge_runtime.support.outputs import identities, identity
from train.networks import CIFAR10_NETWORKS
from train.reason import sentence


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
            f"named: {', '.join(CIFAR10_NETWORKS)}. Repeatable."
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
        if name not in CIFAR10_NETWORKS:
            raise typer.BadParameter(
                f"expected one of {', '.join(CIFAR10_NETWORKS)}, but got {name}.",
                param_hint="--untrained",
            )
    if data is not None and not data.expanduser().exists():
        raise typer.BadParameter(f"--data {data} does not exist; name CIFAR-10's binary archive.")
    try:
        for name in delegate or []:
            require_delegate(name)
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
        _check_out(out, [*request.files, *request.references, *([data] if data else [])])
        results = stored.read(out / "results.json")
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
        _say(sentence(exc))
        code = 1
    try:
        results.write(out / "results.json")
        for path in report.write(results, out):
            typer.echo(path)
    except OSError as exc:
        _say(_unwritable(out, exc))
        code = 1
    raise typer.Exit(code)


def _check_out(out: Path, inputs: list[Path]) -> None:
    """Refuse a folder whose files are inputs, or not from a previous run, which this one adds to.

    Raises:
        OutputError: the folder is refused.
    """
    record = out / "results.json"
    files = [record, *report.files(out)]
    replaced = identities(files)
    for path in inputs:
        if identity(path) in replaced:
            raise OutputError(
                f"The report would replace {path}, which is an input; name another folder with "
                f"--out."
            )
    for file in files[1:]:
        if file.exists() and not (file.is_file() and record.is_file()):
            raise OutputError(
                f"{file} exists, and it is not from a previous run; name another folder with --out."
            )


def _unwritable(out: Path, exc: OSError) -> str:
    return f"{out} cannot be written ({exc.strerror}); name another folder with --out."


def _say(line: str) -> None:
    typer.echo(f"benchmarks: {line}", err=True)


if __name__ == "__main__":
    run_command(main)
