"""The command `python -m export.weight_bits`: what int8 weights with fewer values cost.

It exports each network with the same biases and ranges but other weights, and compares the files on
the held-out images: run by XNNPACK, and by OpenVINO if it is installed. With
`ONEDNN_MAX_CPU_ISA=AVX2` in the environment, OpenVINO computes as on a CPU without VNNI. Exit
codes: 0 everything was compared; 1 a checkpoint or the data set failed; 2 a wrong option; 130
interrupted.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.support.console import complain
from edge_runtime.support.options import run_command
from train.startup import start

start("export")

from edge_runtime.inference.engine import Engine
from edge_runtime.inference.opening import open_engine
from edge_runtime.inference.openvino import OpenVinoEngine
from edge_runtime.support.metrics import discordant, drop_interval, top1
from export.checks import data_path
from export.gpu_workaround import widen_strided
from export.inputs import ExportInputs, load_inputs
from export.pipeline import int8_graph
from export.requantize import Scales, WeightBits, first_in_seven_bits, scales_of
from export.verify import points
from train import weights
from train.data import load
from train.dataset import DataError
from train.networks import CIFAR10_NETWORKS, NetworkName

_WAYS: dict[str, Scales] = {
    "8 bits": scales_of(WeightBits.EIGHT),
    "7 bits": scales_of(WeightBits.SEVEN),
    "pairs": scales_of(WeightBits.PAIRS),
    "7 bits in the first layer": first_in_seven_bits,
}
_HEAD = (
    "| network | weights | run by | top-1 | as float, images | drop against 8 bits, points |",
    "|---|---|---|---|---|---|",
)


class Row(NamedTuple):
    """Scores of one file on one library.

    Attributes:
        network: its name.
        weights: a key of `_WAYS`, or "float32".
        run_by: the library.
        scores: raw scores of the held-out images, (N, classes).
    """

    network: str
    weights: str
    run_by: str
    scores: NDArray[np.integer]

    def line(self, inputs: ExportInputs, reference: NDArray[np.integer]) -> str:
        """Return the row of the table.

        Args:
            inputs: with the float scores and the labels of the images.
            reference: the scores to compare with.
        """
        labels = inputs.held_out.labels
        lost, gained = discordant(reference, self.scores, labels)
        low, high = drop_interval(lost, gained, len(labels))
        same = int(np.sum(self.scores.argmax(axis=1) == inputs.scores.argmax(axis=1)))
        return (
            f"| {self.network} | {self.weights} | {self.run_by} | {top1(self.scores, labels):.2%} "
            f"| {same:,} of {len(labels):,} | {points((lost - gained) / len(labels))} "
            f"({points(low)} to {points(high)}) |"
        )


def rows(inputs: ExportInputs, folder: Path) -> Iterator[Row]:
    """Yield the scores of a network's files, on the held-out images.

    Args:
        inputs: the network and its images.
        folder: takes the files.
    """
    name = inputs.model.name
    for way, scales in _WAYS.items():
        path = folder / f"{name}-{way.replace(' ', '-')}.tflite"
        path.write_bytes(widen_strided(int8_graph(inputs, scales)))
        for run_by, engine in _engines(path):
            scores = [engine.run(image[np.newaxis]) for image in inputs.held_out.images]
            yield Row(name, way, run_by, np.stack(scores))


def _engines(path: Path) -> Iterator[tuple[str, Engine]]:
    yield "XNNPACK", open_engine(path)
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA")
    try:
        yield (
            f"OpenVINO, {limit}" if limit else "OpenVINO",
            # No kernels, so that none is refused.
            OpenVinoEngine(path, open_engine(path, delegate="cpu"), lambda: iter(())),
        )
    except EdgeRuntimeError as exc:
        complain(str(exc), program="weight_bits")


def main(
    networks: Annotated[
        list[NetworkName] | None,
        typer.Argument(metavar="[NETWORK]...", help="Default: cnn and resnet18."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Data set with the held-out images, as for `python -m export.tflite`. Without "
            "one, 500 committed images."
        ),
    ] = None,
) -> None:
    """Compare int8 files with fewer values for a weight, on the held-out images."""
    chosen = [str(name) for name in networks or CIFAR10_NETWORKS]
    for name in chosen:
        if name not in CIFAR10_NETWORKS:
            raise typer.BadParameter(f"expected {' or '.join(CIFAR10_NETWORKS)}, but got {name}.")
    try:
        found = data_path(data)
        loaded = None if found is None else load(found)
        typer.echo("\n".join(_HEAD))
        for name in chosen:
            inputs = load_inputs(name, weights.exported(name), data=loaded)
            reference: NDArray[np.integer] | None = None
            with tempfile.TemporaryDirectory() as folder:
                for row in rows(inputs, Path(folder)):
                    reference = row.scores if reference is None else reference
                    typer.echo(row.line(inputs, reference))
    except (DataError, weights.CheckpointError, EdgeRuntimeError) as exc:
        complain(str(exc), program="weight_bits")
        raise typer.Exit(1) from exc


if __name__ == "__main__":
    run_command(main)
