"""The command `python -m export.micro`: a .tflite file as C for TensorFlow Lite Micro."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.errors import EdgeRuntimeError, OutputError
from edge_runtime.inference import shipped
from edge_runtime.support.console import complain
from edge_runtime.support.options import run_command
from export.errors import CalibrationError
from export.micro.c_files import write_c_files
from train.reason import sentence


def main(
    model: Annotated[str, typer.Argument(help="A .tflite file, or the name of a shipped model.")],
    out: Annotated[Path, typer.Option(help="Folder for the C source and header.")],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the source and header if they exist.")
    ] = False,
) -> None:
    """Write a model as C for TensorFlow Lite Micro, and compare its results with the runtime's."""
    if find_spec("tflite_micro") is None:
        sys.exit("tflite_micro not found; install with: pip install -e '.[micro]'")
    try:
        shipped.find(model)
    except EdgeRuntimeError as exc:
        raise typer.BadParameter(str(exc)) from exc
    try:
        written = write_c_files(model, out, overwrite=overwrite)
    except OutputError as exc:
        raise typer.BadParameter(str(exc)) from exc
    except (EdgeRuntimeError, CalibrationError, OSError) as exc:
        complain(sentence(exc), program="export")
        raise typer.Exit(1) from exc
    typer.echo(
        f"{written.source} and {written.header.name}: model {written.model_bytes:,} bytes, "
        f"arena {written.arena_bytes:,} bytes"
    )
    for agreement in written.agreements:
        typer.echo(str(agreement))


if __name__ == "__main__":
    run_command(main)
