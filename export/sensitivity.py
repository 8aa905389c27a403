"""Rank a network's layers by the accuracy that quantizing them to int8 costs."""

from __future__ import annotations

import csv
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path

from edge_runtime.support.files import replacing
from export.inputs import ExportInputs
from export.partial_int8 import partial_quantizer
from train.outlier_head import without


@dataclass(frozen=True)
class LayerError:
    """What quantizing one layer costs.

    Attributes:
        layer: its name in the Keras network.
        sqnr_db: signal-to-quantization-noise ratio of its output on exact inputs, in dB. It is the
            mean of its channels, because one large channel would hide the others.
        regained: accuracy regained when this layer and those that read its output stay in float
            and all others are quantized, a fraction.
    """

    layer: str
    sqnr_db: float
    regained: float


def explain(inputs: ExportInputs) -> list[LayerError]:
    """Rank the layers of a network by their own quantization error, the worst first.

    An outlier head is left out, see `PartialQuantizer.sqnr_db`.
    """
    with partial_quantizer(replace(inputs, model=without(inputs.model))) as quantizer:
        plain_int8 = quantizer.top1(())
        sqnr = quantizer.sqnr_db()
        errors = [
            LayerError(
                operation.layer,
                sqnr[operation.layer],
                quantizer.top1(quantizer.with_readers(operation.index)) - plain_int8,
            )
            for operation in quantizer.operations
            if operation.weighted
        ]
    return sorted(errors, key=lambda error: error.sqnr_db)


def files(stem: Path) -> tuple[Path, Path]:
    """Return the paths of the table (.csv) and the plot (.png) of a ranking."""
    return stem.with_suffix(".csv"), stem.with_suffix(".png")


def write(
    errors: list[LayerError], stem: Path, title: str, *, overwrite: bool = False
) -> tuple[Path, Path]:
    """Write a ranking as a table (.csv) and a plot (.png), and return their paths.

    Args:
        errors: from `explain`.
        stem: path of both files, without a suffix.
        title: of the plot.
        overwrite: replace files that exist.

    Raises:
        OSError: a file exists or cannot be written.
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    table, plot = files(stem)
    with (
        replacing(table, overwrite=overwrite) as temporary,
        temporary.open("w", newline="") as stream,
    ):
        rows = csv.writer(stream)
        rows.writerow(field.name for field in fields(LayerError))
        rows.writerows(astuple(error) for error in errors)
    names = [error.layer for error in errors]
    figure, (left, right) = plt.subplots(
        1, 2, sharey=True, figsize=(9, 1.2 + 0.3 * len(names)), layout="constrained"
    )
    left.barh(names, [error.sqnr_db for error in errors])
    left.set_xlabel("signal-to-quantization-noise ratio, dB")
    left.invert_yaxis()
    right.barh(names, [100 * error.regained for error in errors])
    right.set_xlabel("top-1 regained in float, points")
    figure.suptitle(title)
    with replacing(plot, overwrite=overwrite) as temporary:
        figure.savefig(temporary)
    plt.close(figure)
    return table, plot
