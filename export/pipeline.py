"""From a checkpoint to a proven .tflite file: convert, describe, compare, write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge_runtime.support.files import replacing
from export import bias, convert, quantize, sensitivity, verify
from export.card import model_card
from export.gpu import widen_strided
from export.lint import lint
from export.metadata import describe
from export.quantize import Io
from export.source import Source

TOOLS = ("ai-edge-litert", "keras", "tensorflow")
QAT_TOOLS = ("tensorflow-model-optimization", "tf_keras")
_ROUNDING = 1e-9  # of a drop that is exactly what may be lost


class Quantization(StrEnum):
    """What an export does to the network's numbers."""

    NONE = "none"
    FLOAT16 = "float16"
    DYNAMIC = "dynamic"
    INT8 = "int8"
    QAT = "qat"

    @property
    def precision(self) -> str:
        """The name of the result, as in `cnn-int8-qat.tflite`."""
        return {"none": "float32", "qat": "int8-qat"}.get(self.value, self.value)

    @property
    def integer(self) -> bool:
        """Whether all arithmetic is in integers."""
        return self in (Quantization.INT8, Quantization.QAT)


class ExportError(Exception):
    """The file was not written."""


@dataclass(frozen=True)
class Export:
    """A written file and how it compares with the network that it came from.

    Attributes:
        findings: of the graph lint.
        float_layers: that were kept in float, by name.
    """

    path: Path
    size: int  # bytes
    comparison: verify.Comparison
    findings: list[str]
    float_layers: tuple[str, ...] = ()


def export_tflite(
    quantization: Quantization,
    out: Path,
    source: Source,
    *,
    io: Io | None = None,
    max_drop: float = 0.005,
    mixed: bool = False,
    overwrite: bool = False,
    qat_dir: Path | None = None,
    say: Callable[[str], None] = print,
) -> Export:
    """Export a network and write the file if it proves as good as the network.

    Args:
        io: type of an integer model's input and scores, uint8 if not said; others have float32.
        max_drop: the most that top-1 accuracy may lose on the held-out images, a fraction.
        mixed: keep the fewest layers of an int8 model in float that hold `max_drop`; its input and
            scores are float32.
        overwrite: replace a file at `out` that holds something else.
        qat_dir: where quantization-aware training keeps its checkpoint.
        say: takes a line of progress.

    Raises:
        CheckpointError: the checkpoint of quantization-aware training is damaged.
        ExportError: the file loses too much, or would replace another, or needs the data set.
        OSError: the file cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=out.parent).close()  # better an error now than after the work
    io = io or ("uint8" if quantization.integer and not mixed else "float32")
    graph = _graph(quantization, source, io, qat_dir, say)
    float_layers: tuple[str, ...] = ()
    if mixed and _judge(graph, source).top1_drop > max_drop + _ROUNDING:
        kept = sensitivity.keep_fewest_in_float(source, max_drop, say=say)
        graph, float_layers = kept.graph, kept.layers
    elif mixed:
        say("no layer has to be kept in float")
    graph = widen_strided(graph)
    card = model_card(
        graph,
        network=source.model.name,
        precision=quantization.precision,
        classes=source.class_names,
        parameters=source.model.count_params(),
        checkpoint_sha256=source.sha256,
        training=source.about,
        calibration=source.calibration.provenance() if quantization.integer else None,
        tools=TOOLS + QAT_TOOLS if quantization is Quantization.QAT else TOOLS,
        ours=source.shipped,
    )
    if float_layers:
        card["float_layers"] = list(float_layers)
    data = describe(graph, card)

    if out.exists() and not overwrite and out.read_bytes() != data:
        raise ExportError(f"{out} holds another model; choose another --out, or --overwrite it.")
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / out.name
        trial.write_bytes(data)
        findings = lint(trial, io=io, integer=quantization.integer, float_layers=len(float_layers))
    comparison = _judge(data, source)
    if comparison.top1_drop > max_drop + _ROUNDING:
        raise ExportError(
            f"{out} was not written: it loses more than {100 * max_drop:g} points on "
            f"{source.judged_on}: {comparison}."
        )
    with replacing(out) as temporary:
        temporary.write_bytes(data)
    return Export(out, len(data), comparison, findings, float_layers)


def _judge(data: bytes, source: Source) -> verify.Comparison:
    """Compare a .tflite file with the network that it came from."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "trial.tflite"
        trial.write_bytes(data)
        scores = verify.file_scores(trial, source.held_out.images)
    return verify.compare(source.scores, scores, source.held_out.labels)


def _graph(
    quantization: Quantization,
    source: Source,
    io: Io,
    qat_dir: Path | None,
    say: Callable[[str], None],
) -> bytes:
    match quantization:
        case Quantization.NONE:
            return convert.to_float32(source.model)
        case Quantization.FLOAT16:
            return quantize.to_float16(source.model)
        case Quantization.DYNAMIC:
            return quantize.to_dynamic(source.model)
        case Quantization.INT8:
            images = source.calibration.images
            return quantize.to_int8(bias.corrected(source.model, images), images, io=io)
        case Quantization.QAT:
            if source.data is None:
                raise ExportError(
                    "--quantize qat trains on the training images; name the data set with --data "
                    "or EDGE_CIFAR10."
                )
            from export import qat, twin  # its packages are slow to import

            student = qat.fine_tune(
                twin.build(source.model),
                source.data.train,
                qat_dir or Path("runs") / f"{source.model.name}-qat",
                calibration=source.calibration.images,
                recipe=qat.FineTuning(),
                identity=f"{source.sha256} {source.calibration.provenance()['sha256']}",
                say=say,
            )
            return qat.to_int8(student, io=io)
