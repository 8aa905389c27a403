"""Options of `python -m export.tflite` that cannot be meant: each check raises Typer's usage error.

The checks run before any model or data set is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import typer

from edge_runtime.errors import OutputError
from edge_runtime.support.outputs import output_file
from export import committed, photographs
from export.pipeline import QuantizationMode
from export.quantize import IoType
from export.requantize import WeightBits
from train import efficientnet, weights
from train.cifar10 import ENVIRONMENT_VARIABLE
from train.data import location
from train.networks import CIFAR10_NETWORKS

# The last feature map has a pixel for each 32 of the image, so other sides waste their border.
SIDES = (128, 160, 192, 224)


def data_path(data: Path | None) -> Path | None:
    """Return the data set that `--data` or the environment variable names, or None."""
    path = location(data)
    if data is None and path is not None and not path.exists():
        raise typer.BadParameter(
            f"it names {path}, which does not exist; correct it, or unset it.",
            param_hint=ENVIRONMENT_VARIABLE,
        )
    return path


def either(values: Sequence[int]) -> str:
    """Return numbers as "1, 2 or 3"."""
    return f"{', '.join(map(str, values[:-1]))} or {values[-1]}"


def check_all(*others: object) -> None:
    """Reject --all beside options that are about one export."""
    if any(others):
        raise typer.BadParameter(
            "it can be combined only with --data, --calibration, --max-drop and --overwrite.",
            param_hint="--all",
        )


def check_explain(*others: object) -> None:
    """Reject --explain beside options that are about the exported file."""
    if any(others):
        raise typer.BadParameter(
            "it exports nothing, so it can be combined only with --network, --checkpoint, --out, "
            "--overwrite, --data and --calibration.",
            param_hint="--explain",
        )


def check_network(
    network: str,
    mode: QuantizationMode,
    *,
    features: bool,
    side: int | None,
    mixed: bool,
    explain: bool,
) -> None:
    """Reject what a network cannot do."""
    if network != efficientnet.NAME:
        for option, given in (("--features", features), ("--side", side is not None)):
            if given:
                raise typer.BadParameter(
                    f"{network} has no such variant; add --network {efficientnet.NAME}, or omit "
                    f"{option}.",
                    param_hint=option,
                )
        return
    if side is not None and side not in SIDES:
        raise typer.BadParameter(
            f"expected {either(SIDES)} pixels, but got {side}.", param_hint="--side"
        )
    for option, given in (
        ("--quantize qat", mode is QuantizationMode.QAT),
        ("--mixed", mixed),
        ("--explain", explain),
    ):
        if given:
            raise typer.BadParameter(
                f"it is for {' and '.join(CIFAR10_NETWORKS)} only; omit it for "
                f"{efficientnet.NAME}.",
                param_hint=option,
            )


def check_quantization(
    mode: QuantizationMode,
    *,
    io: IoType | None,
    mixed: bool,
    weight_bits: WeightBits | None,
    calibration: str | None,
) -> None:
    """Reject what a precision does not take."""
    if io and not mode.integer:
        raise typer.BadParameter(
            f"{mode} models have float32 input and scores; omit --io.", param_hint="--io"
        )
    if mixed and (mode is not QuantizationMode.INT8 or io):
        raise typer.BadParameter(
            "it needs --quantize int8, and input and scores are float32; omit --io.",
            param_hint="--mixed",
        )
    if weight_bits and (mode is not QuantizationMode.INT8 or mixed):
        raise typer.BadParameter(
            "it is for --quantize int8 without --mixed; omit it.", param_hint="--weight-bits"
        )
    if calibration and not mode.integer:
        raise typer.BadParameter(
            f"{mode} models have no activation ranges; omit --calibration.",
            param_hint="--calibration",
        )


def check_named(checkpoint: Path | None, data: Path | None) -> None:
    """Reject a checkpoint or data set that does not exist."""
    if checkpoint is not None and not checkpoint.is_file():
        raise typer.BadParameter(
            f"--checkpoint {checkpoint} is not a file; name a safetensors file."
        )
    if data is not None and not data.expanduser().exists():
        raise typer.BadParameter(
            f"--data {data} does not exist; name CIFAR-10's binary archive or a folder of images."
        )


def check_calibration(calibration: str | None, data: Path | None) -> None:
    """Reject calibration images that cannot exist.

    Args:
        calibration: what `--calibration` says.
        data: the data set, or None if there is none.
    """
    if calibration is None:
        return
    if not calibration.isdecimal() and not Path(calibration).is_dir():
        raise typer.BadParameter(
            f"expected --calibration to be a number of images, or a folder, but got {calibration}."
        )
    if calibration.isdecimal() and data is None:
        raise typer.BadParameter(
            f"--calibration {calibration} needs a data set; name it with --data, or omit "
            f"--calibration."
        )


def check_out(file: Path, inputs: Iterable[Path], *, overwrite: bool) -> None:
    """Reject an output that would replace an input, or another file without being asked to."""
    try:
        output_file(file, inputs=inputs, overwrite=overwrite, parents=True, trial=True)
    except OutputError as exc:
        raise typer.BadParameter(str(exc)) from exc


def input_files(
    checkpoints: Iterable[Path], data: Path | None, calibration: str | None
) -> Iterator[Path]:
    """Yield the files that an export may read."""
    for checkpoint in checkpoints:
        yield from weights.files(checkpoint)
    yield from committed.files()
    yield from photographs.files()
    yield from Path("runs").glob("*-qat/*")  # resumed by quantization-aware training
    folders = [data]
    if calibration is not None and not calibration.isdecimal():
        folders.append(Path(calibration))
    for path in folders:
        if path is not None:
            yield path
            yield from path.rglob("*")  # nothing if it is a file
