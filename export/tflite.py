"""The command `python -m export.tflite`: from a checkpoint to a proven .tflite file."""

from __future__ import annotations

import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.support.options import finite
from train.startup import start

start("export")

from export import pipeline, sensitivity, verify
from export.calibration import CalibrationError
from export.pipeline import Export, ExportError, Quantization
from export.source import Source
from export.source import load as read_source
from train import weights
from train.cifar10 import ENVIRONMENT_VARIABLE
from train.data import load
from train.dataset import DataError

ERRORS = (
    weights.CheckpointError,
    CalibrationError,
    ExportError,
    EdgeRuntimeError,
    OSError,
)


class Network(StrEnum):
    """The networks by their names on the command line."""

    CNN = "cnn"
    RESNET18 = "resnet18"


class Io(StrEnum):
    """Types of an integer model's input and scores."""

    UINT8 = "uint8"
    INT8 = "int8"
    FLOAT32 = "float32"


def main(
    network: Annotated[
        Network | None, typer.Option(help="Which network.", show_default="cnn")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Its weights, safetensors.", show_default="train/checkpoints/NETWORK.safetensors"
        ),
    ] = None,
    quantize: Annotated[
        Quantization | None,
        typer.Option(
            show_default="int8",
            help="none: float32; float16: weights; dynamic: int8 weights; int8: full integer; "
            "qat: full integer, fine-tuned on the training images.",
        ),
    ] = None,
    io: Annotated[
        Io | None,
        typer.Option(help="Type of an int8 or qat model's input and scores.", show_default="uint8"),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|N",
            help="Images that set activation ranges: a folder with one of pictures a class, or "
            "how many to take of the training part of --data.",
            show_default="500 committed ones",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="CIFAR-10's binary archive, to judge on all held-out images; for a network of "
            "your own images their folder, see `python -m train cnn`.",
            show_default=f"${ENVIRONMENT_VARIABLE}",
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=finite,
            help="Points of top-1 accuracy that may be lost.",
            show_default="0.5",
        ),
    ] = None,
    mixed: Annotated[
        bool,
        typer.Option("--mixed", help="Keep the fewest layers in float that hold --max-drop."),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Rank the layers by quantization error; export nothing."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write.", show_default="exports/NETWORK-PRECISION.tflite"),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Export every precision of both networks.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that holds another model.")
    ] = False,
) -> None:
    """Export a network to a .tflite file that says what it is, and prove it on held-out images."""
    if every and (network or quantize or out or checkpoint or mixed or explain or io):
        raise typer.BadParameter(
            "it takes no option but images, --max-drop and --overwrite.", param_hint="--all"
        )
    if explain and (quantize or mixed or io or overwrite or max_drop is not None):
        raise typer.BadParameter(
            "it exports nothing; it takes --network, --checkpoint, --out and images alone.",
            param_hint="--explain",
        )
    network, quantize = network or Network.CNN, quantize or Quantization.INT8
    if io and not quantize.integer:
        raise typer.BadParameter(f"{quantize} models take and give float32.", param_hint="--io")
    if mixed and (quantize is not Quantization.INT8 or io):
        raise typer.BadParameter("it is for int8, with float32 I/O.", param_hint="--mixed")
    if calibration and not every and not quantize.integer:
        raise typer.BadParameter(
            f"{quantize} models have no activation ranges.", param_hint="--calibration"
        )
    max_drop = 0.5 if max_drop is None else max_drop
    signal.signal(signal.SIGTERM, _stop)
    rows = []
    failed = False
    try:
        loaded = load(data) if data or os.environ.get(ENVIRONMENT_VARIABLE) else None
        for name in Network if every else [network]:
            file = checkpoint or weights.SHIPPED / f"{name}.safetensors"
            try:
                source = read_source(name, file, images=calibration, data=loaded)
                if explain:
                    _explain(source, out or Path("exports") / f"{name}-sensitivity")
                    continue
            except ERRORS as exc:
                failed = _complain(exc)
                continue
            for quantization in Quantization if every else [quantize]:
                try:
                    export = pipeline.export_tflite(
                        quantization,
                        out or Path("exports") / f"{name}-{quantization.precision}.tflite",
                        source,
                        io=io.value if io else None,
                        max_drop=max_drop / 100,
                        mixed=mixed,
                        overwrite=overwrite,
                        say=_say,
                    )
                except ERRORS as exc:
                    failed = _complain(exc)
                    continue
                _show(export, source)
                rows.append(_row(export))
    except DataError as exc:
        failed = _complain(exc)
    except KeyboardInterrupt:
        _complain("stopped; what was not finished is not there")
        raise typer.Exit(130) from None
    if every:
        typer.echo("\n".join(["", *_HEAD, *rows]))
    raise typer.Exit(int(failed))


_HEAD = (
    "| file | bytes | top-1 | drop, points | McNemar p | agreement |",
    "|---|---|---|---|---|---|",
)


def _row(export: Export) -> str:
    c = export.comparison
    low, high = c.top1_interval
    drop_low, drop_high = c.drop_interval
    return (
        f"| {export.path.stem} | {export.size:,} "
        f"| {c.top1:.2%} ({low:.2%} to {high:.2%}) "
        f"| {verify.points(c.top1_drop)} ({verify.points(drop_low)} to {verify.points(drop_high)}) "
        f"| {c.p_value:.2f} | {c.agreement:.2%} |"
    )


def _show(export: Export, source: Source) -> None:
    typer.echo(f"{export.path}: {export.size:,} bytes")
    typer.echo(f"on {source.judged_on}: {export.comparison}")
    for finding in export.findings:
        typer.echo(f"lint: {finding}")


def _explain(source: Source, stem: Path) -> None:
    errors = sensitivity.explain(source)
    typer.echo(f"{'layer':<24}{'SQNR, dB':>10}{'regained, points':>18}")
    for error in errors:
        points = verify.points(error.regained)
        typer.echo(f"{error.layer:<24}{error.sqnr_db:>10.1f}{points:>18}")
    written = sensitivity.write(errors, stem, f"{source.model.name}, int8")
    typer.echo(" ".join(str(path) for path in written))


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _complain(error: object) -> bool:
    typer.echo(f"export: {error}", err=True)
    return True


def _stop(*_: object) -> None:
    sys.exit("export: terminated; what was not finished is not there")


if __name__ == "__main__":
    typer.run(main)
