"""The command `python -m export.tflite`: from a checkpoint to a verified .tflite file.

Exit codes: 0 everything that was asked for was written; 1 an input failed, or a model was not good
enough; 2 the command line cannot be meant, so that nothing was done; 130 stopped.
"""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.support.console import INTERRUPTED, complain
from edge_runtime.support.options import finite
from train.startup import start

start("export")

from export import pipeline, sensitivity, verify
from export.checks import check_calibration, check_named, check_out, data_path, input_files
from export.errors import CalibrationError, CalibrationOptionError, ExportError
from export.inputs import ExportInputs, load_inputs
from export.pipeline import Export, QuantizationMode
from export.quantize import IoType
from train import weights
from train.cifar10 import ENVIRONMENT_VARIABLE
from train.data import load
from train.dataset import DataError
from train.networks import CIFAR10_NETWORKS, NetworkName
from train.reason import sentence

_PROGRAM = "export"
_ERRORS = (
    weights.CheckpointError,
    CalibrationError,
    ExportError,
    EdgeRuntimeError,
    OSError,
)
_STOPPED = "no unfinished file was left behind"


def main(
    network: Annotated[
        NetworkName | None, typer.Option(help="Network to export.", show_default="cnn")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="Weights of the network, a safetensors file.",
            show_default="train/checkpoints/NETWORK.safetensors",
        ),
    ] = None,
    quantize: Annotated[
        QuantizationMode | None,
        typer.Option(
            show_default="int8",
            help="What to quantize. none: nothing, float32; float16: weights to float16; dynamic: "
            "weights to int8; int8: everything to int8; qat: everything to int8, after "
            "fine-tuning on the training images.",
        ),
    ] = None,
    io: Annotated[
        IoType | None,
        typer.Option(help="Type of an int8 or qat model's input and scores.", show_default="uint8"),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|N",
            help="Images that set activation ranges: a folder that holds one folder of images per "
            "class, or how many training images of --data to take.",
            show_default="500 committed images",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data set whose held-out images judge the result: CIFAR-10's binary archive, or "
            "the folder of your own images that the network was trained on, "
            "{train,test}/CLASS/*.png. Without a data set, 500 committed images judge.",
            show_default=f"${ENVIRONMENT_VARIABLE}",
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            min=0,
            callback=finite,
            help="Largest loss of top-1 accuracy, in points. A file that loses more is not "
            "written.",
            show_default="0.5",
        ),
    ] = None,
    mixed: Annotated[
        bool,
        typer.Option("--mixed", help="Keep as few layers in float as --max-drop allows."),
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Rank the layers by quantization error; export nothing."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write. With --explain: path of the table and the plot, without suffix.",
            show_default="exports/NETWORK-PRECISION.tflite; with --mixed "
            "exports/NETWORK-int8-mixed.tflite",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Export every network in every precision; without a data set, all but qat.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the files to write if they exist.")
    ] = False,
) -> None:
    """Export a network to a .tflite file that describes itself, and verify it on held-out images.

    A file that loses too much accuracy is not written.
    """
    if every and (network or quantize or out or checkpoint or mixed or explain or io):
        raise typer.BadParameter(
            "it can be combined only with --data, --calibration, --max-drop and --overwrite.",
            param_hint="--all",
        )
    if explain and (quantize or mixed or io or max_drop is not None):
        raise typer.BadParameter(
            "it exports nothing, so it can be combined only with --network, --checkpoint, --out, "
            "--overwrite, --data and --calibration.",
            param_hint="--explain",
        )
    network, quantize = network or NetworkName("cnn"), quantize or QuantizationMode.INT8
    if io and not quantize.integer:
        raise typer.BadParameter(
            f"{quantize} models have float32 input and scores; omit --io.", param_hint="--io"
        )
    if mixed and (quantize is not QuantizationMode.INT8 or io):
        raise typer.BadParameter(
            "it needs --quantize int8, and input and scores are float32; omit --io.",
            param_hint="--mixed",
        )
    if calibration and not every and not quantize.integer:
        raise typer.BadParameter(
            f"{quantize} models have no activation ranges; omit --calibration.",
            param_hint="--calibration",
        )
    max_drop = 0.5 if max_drop is None else max_drop
    check_named(checkpoint, data)
    check_calibration(calibration, data)
    networks = [NetworkName(name) for name in CIFAR10_NETWORKS] if every else [network]
    modes = list(QuantizationMode) if every else [quantize]
    if QuantizationMode.QAT in modes and data_path(data) is None:
        if not every:
            raise typer.BadParameter(
                "qat trains on the training images; name the data set with --data or "
                f"{ENVIRONMENT_VARIABLE}.",
                param_hint="--quantize",
            )
        modes.remove(QuantizationMode.QAT)
    checkpoints = {name: checkpoint or weights.SHIPPED / f"{name}.safetensors" for name in networks}
    files = {(n, m): out or _default_out(n, m, mixed=mixed) for n in networks for m in modes}
    ranking = out or Path("exports") / f"{network}-sensitivity"
    for file in sensitivity.files(ranking) if explain else files.values():
        inputs = input_files(checkpoints.values(), data, calibration)
        check_out(file, inputs, overwrite=overwrite)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows = []
    failed = False
    try:
        loaded = None if data_path(data) is None else load(data)
        for name in networks:
            try:
                sources = load_inputs(name, checkpoints[name], images=calibration, data=loaded)
                if explain:
                    _explain(sources, ranking, overwrite=overwrite)
                    continue
            except CalibrationOptionError as exc:
                raise typer.BadParameter(str(exc)) from exc
            except _ERRORS as exc:
                complain(sentence(exc), program=_PROGRAM)
                failed = True
                continue
            for mode in modes:
                try:
                    export = pipeline.export_tflite(
                        mode,
                        files[name, mode],
                        sources,
                        io=io,
                        max_drop=max_drop / 100,
                        mixed=mixed,
                        overwrite=overwrite,
                        say=_say,
                    )
                except _ERRORS as exc:
                    complain(sentence(exc), program=_PROGRAM)
                    failed = True
                    continue
                _print(export, sources)
                rows.append(_table_row(export))
    except DataError as exc:
        complain(str(exc), program=_PROGRAM)
        failed = True
    except KeyboardInterrupt:
        complain(f"stopped; {_STOPPED}", program=_PROGRAM)
        raise typer.Exit(INTERRUPTED) from None
    if every:
        typer.echo("\n".join(["", *_TABLE_HEAD, *rows]))
        if QuantizationMode.QAT not in modes:
            skipped = " and ".join(_default_out(n, QuantizationMode.QAT).stem for n in networks)
            complain(
                f"skipped {skipped}, which are trained; name the data set with --data or "
                f"{ENVIRONMENT_VARIABLE} to export them too.",
                program=_PROGRAM,
            )
    raise typer.Exit(int(failed))


_TABLE_HEAD = (
    "| file | bytes | top-1 | drop, points | McNemar p | agreement |",
    "|---|---|---|---|---|---|",
)


def _default_out(network: str, mode: QuantizationMode, *, mixed: bool = False) -> Path:
    return Path("exports") / f"{network}-{mode.precision}{'-mixed' if mixed else ''}.tflite"


def _table_row(export: Export) -> str:
    c = export.comparison
    low, high = c.top1_interval
    drop_low, drop_high = c.drop_interval
    return (
        f"| {export.path.stem} | {export.size:,} "
        f"| {c.top1:.2%} ({low:.2%} to {high:.2%}) "
        f"| {verify.points(c.top1_drop)} ({verify.points(drop_low)} to {verify.points(drop_high)}) "
        f"| {c.p_value:.2f} | {c.agreement:.2%} |"
    )


def _print(export: Export, inputs: ExportInputs) -> None:
    typer.echo(f"{export.path}: {export.size:,} bytes")
    typer.echo(f"on {inputs.judged_on}: {export.comparison}")
    for finding in export.findings:
        typer.echo(f"lint: {finding}")


def _explain(inputs: ExportInputs, stem: Path, *, overwrite: bool) -> None:
    errors = sensitivity.explain(inputs)
    typer.echo(f"{'layer':<24}{'SQNR, dB':>10}{'regained, points':>18}")
    for error in errors:
        points = verify.points(error.regained)
        typer.echo(f"{error.layer:<24}{error.sqnr_db:>10.1f}{points:>18}")
    written = sensitivity.write(errors, stem, f"{inputs.model.name}, int8", overwrite=overwrite)
    typer.echo(" ".join(str(path) for path in written))


def _say(line: str) -> None:
    typer.echo(line, err=True)


if __name__ == "__main__":
    typer.run(main)
