"""From a checkpoint to a verified .tflite file: convert, describe, compare, write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from edge_runtime.support.files import replacing
from edge_runtime.support.outputs import output_file
from export import bias, convert, quantize, verify
from export.card import model_card
from export.errors import ExportError
from export.gpu_workaround import widen_strided
from export.inputs import ExportInputs
from export.lint import lint
from export.metadata import describe
from export.mixed import keep_fewest_in_float
from export.quantize import IoType

TOOLS = ("ai-edge-litert", "keras", "tensorflow")
QAT_TOOLS = ("tensorflow-model-optimization", "tf_keras")
_ROUNDING = 1e-9  # lets a drop pass that equals the limit


class QuantizationMode(StrEnum):
    """What `--quantize` does to the network's numbers."""

    NONE = "none"
    FLOAT16 = "float16"
    DYNAMIC = "dynamic"
    INT8 = "int8"
    QAT = "qat"

    @property
    def precision(self) -> str:
        """The precision in a model's file name and card, for example "int8-qat"."""
        return {"none": "float32", "qat": "int8-qat"}.get(self.value, self.value)

    @property
    def integer(self) -> bool:
        """Whether all arithmetic is in integers."""
        return self in (QuantizationMode.INT8, QuantizationMode.QAT)


@dataclass(frozen=True)
class Export:
    """A written file, and how it compares with the network that it came from.

    Attributes:
        path: the file.
        size: of the file, in bytes.
        comparison: its accuracy against the float network's.
        findings: of the graph lint, one phrase each.
        float_layers: names of the layers that were kept in float.
    """

    path: Path
    size: int
    comparison: verify.AccuracyComparison
    findings: list[str]
    float_layers: tuple[str, ...] = ()


def export_tflite(
    mode: QuantizationMode,
    out: Path,
    inputs: ExportInputs,
    *,
    io: IoType | None = None,
    max_drop: float = 0.005,
    mixed: bool = False,
    overwrite: bool = False,
    qat_dir: Path | None = None,
    say: Callable[[str], None] = print,
) -> Export:
    """Export a network, and write the file if it is as good as the network.

    Args:
        mode: what to do to the network's numbers.
        out: the file to write.
        inputs: the network and its images.
        io: type of an integer model's input and scores, uint8 by default. Other modes and `mixed`
            have float32.
        max_drop: largest loss of top-1 accuracy on the held-out images, a fraction.
        mixed: keep as few layers of an int8 model in float as `max_drop` allows.
        overwrite: replace a file that exists.
        qat_dir: folder for the checkpoint of quantization-aware training; by default
            `runs/NETWORK-qat`.
        say: receives a line of progress.

    Raises:
        CheckpointError: the checkpoint of quantization-aware training is damaged.
        ExportError: the file loses too much, or needs the data set.
        OutputError: the file exists or may not be written; found out before the work.
        OSError: the file cannot be written.
    """
    file = output_file(
        out, inputs=[inputs.checkpoint], overwrite=overwrite, parents=True, trial=True
    )
    io = io or (IoType.UINT8 if mode.integer and not mixed else IoType.FLOAT32)
    graph = _graph(mode, inputs, io, qat_dir, say)
    float_layers: tuple[str, ...] = ()
    if mixed and _judge(graph, inputs).top1_drop > max_drop + _ROUNDING:
        graph, float_layers = keep_fewest_in_float(inputs, max_drop, say=say)
    elif mixed:
        say("plain int8 is within --max-drop; no layer is kept in float")
    graph = widen_strided(graph)
    card = model_card(
        graph,
        network=inputs.model.name,
        precision=mode.precision,
        classes=inputs.class_names,
        parameters=inputs.model.count_params(),
        checkpoint_sha256=inputs.sha256,
        training=inputs.about,
        calibration=inputs.calibration.provenance() if mode.integer else None,
        tools=TOOLS + QAT_TOOLS if mode is QuantizationMode.QAT else TOOLS,
        ours=inputs.shipped,
    )
    if float_layers:
        card["float_layers"] = list(float_layers)
    data = describe(graph, card)
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / out.name
        trial.write_bytes(data)
        findings = lint(trial, io=io, integer=mode.integer, float_layers=len(float_layers))
    comparison = _judge(data, inputs)
    if comparison.top1_drop > max_drop + _ROUNDING:
        raise ExportError(
            f"{out} was not written, because it loses more than {100 * max_drop:g} points on "
            f"{inputs.judged_on}: {comparison}. Raise --max-drop to write it anyway."
        )
    with replacing(file, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)
    return Export(out, len(data), comparison, findings, float_layers)


def _judge(data: bytes, inputs: ExportInputs) -> verify.AccuracyComparison:
    """Compare a .tflite file with the network that it came from."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "trial.tflite"
        trial.write_bytes(data)
        scores = verify.file_scores(trial, inputs.held_out.images)
    return verify.compare(inputs.scores, scores, inputs.held_out.labels)


def _graph(
    mode: QuantizationMode,
    inputs: ExportInputs,
    io: IoType,
    qat_dir: Path | None,
    say: Callable[[str], None],
) -> bytes:
    match mode:
        case QuantizationMode.NONE:
            return convert.to_float32(inputs.model)
        case QuantizationMode.FLOAT16:
            return quantize.to_float16(inputs.model)
        case QuantizationMode.DYNAMIC:
            return quantize.to_dynamic(inputs.model)
        case QuantizationMode.INT8:
            images = inputs.calibration.images
            return quantize.to_int8(bias.corrected(inputs.model, images), images, io=io)
        case QuantizationMode.QAT:
            if inputs.data is None:
                raise ExportError(
                    "--quantize qat trains on the training images; name the data set with --data "
                    "or EDGE_CIFAR10."
                )
            from export import qat, tf_keras_model  # their packages are slow to import

            student = qat.fine_tune(
                tf_keras_model.build(inputs.model),
                inputs.data.train,
                qat_dir or Path("runs") / f"{inputs.model.name}-qat",
                calibration=inputs.calibration.images,
                recipe=qat.FineTuning(),
                identity=f"{inputs.sha256} {inputs.calibration.provenance()['sha256']}",
                say=say,
            )
            return qat.to_int8(student, io=io)
