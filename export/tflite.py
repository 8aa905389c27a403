"""The command `python -m export.tflite`: from a checkpoint to a verified .tflite file.

Exit codes: 0 everything that was asked for was written; 1 an input failed, or a model was not good
enough; 2 the command line cannot be meant, so that nothing was done; 130 stopped.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.support.console import INTERRUPTED, complain
from edge_runtime.support.options import finite, run_command
from train.startup import start

start("export")

from export import pipeline, report, sensitivity
from export.checks import (
    SIDES,
    check_all,
    check_calibration,
    check_explain,
    check_named,
    check_network,
    check_out,
    check_quantization,
    data_path,
    either,
    input_files,
)
from export.errors import CalibrationError, CalibrationOptionError, ExportError
from export.inputs import ExportInputs, image_side, load_inputs
from export.pipeline import QuantizationMode
from export.quantize import IoType
from export.requantize import WeightBits
from train import efficientnet, weights
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
            show_default="the shipped ones, in train/checkpoints",
        ),
    ] = None,
    features: Annotated[
        bool,
        typer.Option(
            "--features",
            help="Export the part of efficientnet-lite0 that gives features, without its classes.",
        ),
    ] = False,
    side: Annotated[
        int | None,
        typer.Option(
            help=f"Side of efficientnet-lite0's images in pixels: {either(SIDES)}.",
            show_default="that of the checkpoint, otherwise 224",
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
        typer.Option(
            help="Type of an int8 or qat model's input and scores. Features are always int8 then, "
            "unless this is float32.",
            show_default="uint8",
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|N",
            help="Images that set activation ranges: a folder that holds one folder of images per "
            "class, or how many training images of --data to take.",
            show_default="500 committed images; for efficientnet-lite0 crops of committed "
            "photographs",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data set whose held-out images judge the result: CIFAR-10's binary archive, or "
            "the folder of your own images that the network was trained on, "
            "{train,test}/CLASS/*.png. Without a data set, committed images judge.",
            show_default=f"${ENVIRONMENT_VARIABLE} for cnn and resnet18",
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
    weight_bits: Annotated[
        WeightBits | None,
        typer.Option(
            help="Bits of an int8 model's weights. With 7 no sum of two products overflows 16 "
            "bits, in which OpenVINO adds them on x86 without VNNI. pairs: 8, or fewer in channels "
            "where a sum would overflow.",
            show_default="7 for cnn, 8 for the others",
        ),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Rank the layers by quantization error; export nothing."),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write. With --explain: path of the table and the plot, without suffix.",
            show_default="exports/NETWORK-PRECISION.tflite, with -mixed, -features, the "
            "--weight-bits or the --side in its name",
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option(
            "--all",
            help="Export the networks for CIFAR-10 in every precision; without a data set, in all "
            "but qat.",
        ),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the files to write if they exist.")
    ] = False,
) -> None:
    """Export a network to a .tflite file that describes itself, and verify it on held-out images.

    A file that loses too much accuracy is not written.
    """
    if every:
        named = (network, quantize, out, checkpoint, features, side)
        check_all(*named, mixed, explain, io, weight_bits)
    if explain:
        check_explain(quantize, mixed, io, weight_bits, max_drop is not None)
    network, quantize = network or NetworkName("cnn"), quantize or QuantizationMode.INT8
    check_network(network, quantize, features=features, side=side, mixed=mixed, explain=explain)
    if not every:
        check_quantization(
            quantize, io=io, mixed=mixed, weight_bits=weight_bits, calibration=calibration
        )
    check_named(checkpoint, data)
    cifar10 = every or network in CIFAR10_NETWORKS
    data = data_path(data) if cifar10 else data and data.expanduser()
    check_calibration(calibration, data)
    if max_drop is not None and (features or not (cifar10 or data)):
        raise typer.BadParameter(
            "no labelled image measures top-1 accuracy here; omit it.", param_hint="--max-drop"
        )
    max_drop = 0.5 if max_drop is None else max_drop
    networks = [NetworkName(name) for name in CIFAR10_NETWORKS] if every else [network]
    modes = list(QuantizationMode) if every else [quantize]
    if QuantizationMode.QAT in modes and data is None:
        if not every:
            raise typer.BadParameter(
                "qat trains on the training images; name the data set with --data or "
                f"{ENVIRONMENT_VARIABLE}.",
                param_hint="--quantize",
            )
        modes.remove(QuantizationMode.QAT)
    checkpoints = {name: checkpoint or weights.exported(name) for name in networks}
    variant = [
        *(["mixed"] if mixed else []),
        *([f"w{weight_bits}"] if weight_bits else []),
        *([str(side)] if side else []),
    ]
    files = {
        (n, m): out or report.default_out(n, m, features=features, variant=variant)
        for n in networks
        for m in modes
    }
    ranking = out or Path("exports") / f"{network}-sensitivity"
    for file in sensitivity.files(ranking) if explain else files.values():
        inputs = input_files(checkpoints.values(), data, calibration)
        check_out(file, inputs, overwrite=overwrite)

    rows = []
    failed = False
    try:
        loaded = None
        if data is not None:
            loaded = load(data) if cifar10 else load(data, _side(checkpoints[network], side))
        for name in networks:
            try:
                sources = load_inputs(
                    name,
                    checkpoints[name],
                    images=calibration,
                    data=loaded,
                    features=features,
                    side=side,
                )
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
                        weight_bits=weight_bits,
                        overwrite=overwrite,
                        say=_say,
                    )
                except _ERRORS as exc:
                    complain(sentence(exc), program=_PROGRAM)
                    failed = True
                    continue
                typer.echo("\n".join(report.lines(export, sources.judged_on)))
                rows.append(export)
    except (DataError, weights.CheckpointError) as exc:
        complain(str(exc), program=_PROGRAM)
        failed = True
    except KeyboardInterrupt:
        complain(f"stopped; {_STOPPED}", program=_PROGRAM)
        raise typer.Exit(INTERRUPTED) from None
    if every:
        typer.echo("\n".join(["", *report.table(rows)]))
        if QuantizationMode.QAT not in modes:
            skipped = " and ".join(
                report.default_out(n, QuantizationMode.QAT).stem for n in networks
            )
            complain(
                f"skipped {skipped}, which are trained; name the data set with --data or "
                f"{ENVIRONMENT_VARIABLE} to export them too.",
                program=_PROGRAM,
            )
    raise typer.Exit(int(failed))


def _side(checkpoint: Path, side: int | None) -> int:
    """Return the side of the images that EfficientNet-Lite0 takes."""
    return side or image_side(efficientnet.NAME, weights.about(checkpoint))


def _explain(inputs: ExportInputs, stem: Path, *, overwrite: bool) -> None:
    errors = sensitivity.explain(inputs)
    typer.echo("\n".join(report.ranking(errors)))
    written = sensitivity.write(errors, stem, f"{inputs.model.name}, int8", overwrite=overwrite)
    typer.echo(" ".join(str(path) for path in written))


def _say(line: str) -> None:
    typer.echo(line, err=True)


if __name__ == "__main__":
    run_command(main)
