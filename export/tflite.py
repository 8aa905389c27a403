"""The command `python -m export.tflite`: from the shipped checkpoint to a .tflite file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.errors import EdgeRuntimeError
from train.startup import start

start("export")

from export import calibration, convert, verify
from export.card import model_card
from export.metadata import describe
from train import weights
from train.architectures import simple_cnn
from train.atomic import replacing

MAX_TOP1_DROP = 0.005
TOOLS = ("ai-edge-litert", "keras", "tensorflow")


class Quantization(StrEnum):
    """What an export does to the network's numbers."""

    NONE = "none"
    INT8 = "int8"


PRECISION = {Quantization.NONE: "float32", Quantization.INT8: "int8"}


class ExportError(Exception):
    """The file was not written."""


@dataclass(frozen=True)
class Export:
    """A written file and how it compares with the network that it came from."""

    path: Path
    comparison: verify.Comparison


def export_tflite(
    quantization: Quantization,
    out: Path,
    *,
    checkpoint: Path = weights.SHIPPED / "cnn.safetensors",
    overwrite: bool = False,
) -> Export:
    """Export the CNN with its labels inside, and write it if it proves as good as the network.

    Args:
        quantization: NONE for float32 throughout, INT8 for full-integer with uint8 in and out.
        overwrite: replace a file at `out` that holds something else.

    Raises:
        CheckpointError: the checkpoint is missing, damaged or of another network.
        CalibrationError: the committed images are damaged.
        ExportError: the file loses more than 0.5 points of accuracy, or would replace another.
        OSError: the file cannot be written.
    """
    images = calibration.read()
    model = simple_cnn(len(images.class_names))
    training = weights.load(model, checkpoint)
    if quantization is Quantization.INT8:
        graph = convert.to_int8(model, images.train.images)
    else:
        graph = convert.to_float32(model)
    card = model_card(
        graph,
        network=model.name,
        precision=PRECISION[quantization],
        classes=images.class_names,
        parameters=model.count_params(),
        checkpoint_sha256=hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        training=training,
        calibration=images.provenance() if quantization is Quantization.INT8 else None,
        tools=TOOLS,
    )
    data = describe(graph, card)

    if out.exists() and not overwrite and out.read_bytes() != data:
        raise ExportError(f"{out} holds another model; choose another --out, or --overwrite it.")
    with replacing(out) as temporary:
        temporary.write_bytes(data)
        comparison = verify.compare(model, temporary, images.held_out)
        if comparison.top1_drop > MAX_TOP1_DROP:
            raise ExportError(f"{out} was not written: it loses too much {comparison}.")
    return Export(out, comparison)


def main(
    quantize: Annotated[
        Quantization, typer.Option(help="none: float32; int8: full integer, uint8 in and out.")
    ] = Quantization.INT8,
    checkpoint: Annotated[
        Path, typer.Option(help="Weights of the CNN, safetensors.")
    ] = weights.SHIPPED / "cnn.safetensors",
    out: Annotated[
        Path | None,
        typer.Option(help="File to write.", show_default="exports/cnn-PRECISION.tflite"),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that holds another model.")
    ] = False,
) -> None:
    """Export the CNN to a .tflite file with its labels inside, and check it."""
    path = out or Path("exports") / f"cnn-{PRECISION[quantize]}.tflite"
    try:
        result = export_tflite(quantize, path, checkpoint=checkpoint, overwrite=overwrite)
    except (
        weights.CheckpointError,
        calibration.CalibrationError,
        ExportError,
        EdgeRuntimeError,
        OSError,
    ) as exc:
        typer.echo(f"export: {exc}", err=True)
        raise typer.Exit(1) from exc
    typer.echo(f"{path}: {path.stat().st_size:,} bytes")
    typer.echo(str(result.comparison))


if __name__ == "__main__":
    typer.run(main)
