"""The command `python -m benchmarks.trust`: how far the scores of models can be trusted.

Exit codes: 0 everything was measured; 1 a model or an image failed; 2 the command line cannot be
meant, or the output is refused; 130 interrupted.
"""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.options import Data, Models
from benchmarks.trust.measure import Request, measure
from benchmarks.trust.tables import markdown
from edge_runtime.cli.checks import error_limits
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.support.files import replacing
from edge_runtime.support.options import run_command
from edge_runtime.support.outputs import output_file
from train import outlier_files
from train.dataset import DataError
from train.reason import sentence


def main(
    outside: Annotated[
        list[str],
        typer.Option(
            metavar="PATH",
            help="Show these images of none of the classes: a folder or archive, or "
            f"{outlier_files.TINY_IMAGENET}, which is downloaded. May be repeated.",
        ),
    ],
    models: Models = None,
    all_outside: Annotated[
        bool,
        typer.Option(
            "--all-outside",
            help="Show all classes of --outside, not only the third that training never sees.",
        ),
    ] = False,
    inside: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also show these photographs of the classes, in folders named by class.",
        ),
    ] = None,
    data: Data = None,
    against: Annotated[
        str | None, typer.Option(metavar="MODEL", help="Compare the others with this model.")
    ] = None,
    max_error: Annotated[
        str, typer.Option(metavar="PERCENT", help="Try this --max-error on the test images.")
    ] = "1%",
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Write trust.md, trust.png and trust.json to this folder."
        ),
    ] = Path("runs/trust"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace these files if they exist.")
    ] = False,
) -> None:
    """Measure what a score promises on images of the classes, and of none of them."""
    names = models or list(shipped.models())
    if against is not None:
        names = [against, *(name for name in names if name != against)]
    limit = error_limits([max_error], accept_all=False)
    if not isinstance(limit, float):
        raise typer.BadParameter(
            "expected one percentage for all classes.", param_hint="--max-error"
        )
    try:
        inputs = [shipped.find(name) for name in names]
        sources = [outlier_files.locate(named, option="--outside") for named in outside]
        files = [
            output_file(
                out / f"trust.{suffix}",
                subject=str(out / f"trust.{suffix}"),
                inputs=[*inputs, *sources],
                overwrite=overwrite,
                parents=True,
                trial=True,
            )
            for suffix in ("md", "png", "json")
        ]
    except (EdgeRuntimeError, DataError) as exc:
        _say(str(exc))
        raise typer.Exit(2) from None
    try:
        record = measure(Request(names, against, data, inside, sources, all_outside, limit, _say))
        _write(record, files, overwrite=overwrite)
    except (EdgeRuntimeError, DataError, OSError) as exc:
        _say(sentence(exc))
        raise typer.Exit(1) from None
    typer.echo(markdown(record))
    for file in files:
        _say(f"wrote {file}")


def _write(record: dict[str, object], files: list[Path], *, overwrite: bool) -> None:
    """Write the table, the plot and the record; all are made before the first one is written."""
    from benchmarks.trust.plot import trust

    plot = BytesIO()
    trust(record).savefig(plot, dpi=150, format="png")
    figures = json.dumps(record, indent=1) + "\n"
    contents = (markdown(record).encode(), plot.getvalue(), figures.encode())
    for file, content in zip(files, contents, strict=True):
        with replacing(file, overwrite=overwrite) as temporary:
            temporary.write_bytes(content)


def _say(line: str) -> None:
    typer.echo(f"trust: {line}", err=True)


if __name__ == "__main__":
    run_command(main)
