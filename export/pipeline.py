"""From a checkpoint to a verified .tflite file: convert, describe, compare, write."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.files import replacing
from edge_runtime.support.outputs import output_file
from edge_runtime.tflite.metadata import describe
from export import bias, convert, quantize, verify
from export.card import model_card
from export.deployed import deployed, normalization
from export.errors import ExportError
from export.gpu_workaround import widen_strided
from export.inputs import ExportInputs
from export.lint import lint
from export.measured import measured
from export.mixed import keep_fewest_in_float
from export.quantize import IoType
from export.requantize import Scales, WeightBits, default_bits, requantized, scales_of
from train import outlier_head, weights
from train.efficientnet import FEATURE_BLOCKS, feature_extractor

TOOLS = ("ai-edge-litert", "keras", "tensorflow")
QAT_TOOLS = ("tensorflow-model-optimization", "tf_keras")
PHOTOGRAPH_TOOLS = ("pillow",)  # it decodes and shrinks the committed photographs
# Mean cosine between an export's outputs and the float network's, if no labels tell its accuracy.
LEAST_COSINE = 0.97
_CHANCE = 0.05  # from this p-value on, a difference may be chance
_ROUNDING = 1e-9  # lets a drop pass that equals the limit
_EIGHT_BITS = scales_of(WeightBits.EIGHT)


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
        comparison: its accuracy, or without labels its outputs, against the float network's.
        findings: of the graph lint, one phrase each.
        float_layers: names of the layers that were kept in float.
        acceptance: what its card says about acceptance, see `edge_runtime.inference.acceptance`.
    """

    path: Path
    size: int
    comparison: verify.AccuracyComparison | verify.OutputComparison
    findings: list[str]
    float_layers: tuple[str, ...] = ()
    acceptance: dict[str, Any] | None = None


def export_tflite(
    mode: QuantizationMode,
    out: Path,
    inputs: ExportInputs,
    *,
    io: IoType | None = None,
    max_drop: float = 0.005,
    mixed: bool = False,
    weight_bits: WeightBits | None = None,
    overwrite: bool = False,
    qat_dir: Path | None = None,
    say: Callable[[str], None] = print,
) -> Export:
    """Export a network, and write the file if it is as good as the network.

    Args:
        mode: what to do to the network's numbers.
        out: the file to write.
        inputs: the network and its images.
        io: type of an integer model's input and scores, uint8 by default; features are int8 if
            this is an integer type. Other modes and `mixed` have float32.
        max_drop: largest loss of top-1 accuracy on the held-out images, a fraction. Without labels,
            the mean cosine to the float network's outputs must be at least `LEAST_COSINE`.
        mixed: keep as few layers of an int8 model in float as `max_drop` allows.
        weight_bits: which integers the weights of an int8 model may be; None takes the network's
            `export.requantize.default_bits`. Those of other modes and of `mixed` have 8 bits.
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
        out, inputs=weights.files(inputs.checkpoint), overwrite=overwrite, parents=True, trial=True
    )
    if mixed or mode is not QuantizationMode.INT8:
        weight_bits = WeightBits.EIGHT
    weight_bits = weight_bits or default_bits(inputs.model.name)
    io = io or (IoType.UINT8 if mode.integer and not mixed else IoType.FLOAT32)
    output = IoType.INT8 if inputs.features and io is not IoType.FLOAT32 else io
    graph = _graph(mode, inputs, io, output, scales_of(weight_bits), qat_dir, say)
    float_layers: tuple[str, ...] = ()
    if mixed and _loses_too_much(_judge(graph, inputs), max_drop):
        graph, float_layers = keep_fewest_in_float(inputs, max_drop, say=say)
    elif mixed:
        say("plain int8 is within --max-drop; no layer is kept in float")
    graph = widen_strided(graph)
    card = model_card(
        graph,
        network=inputs.model.name,
        precision=mode.precision,
        classes=None if inputs.features else inputs.class_names,
        parameters=_parameters(inputs),
        checkpoint_sha256=inputs.sha256,
        training=inputs.about,
        calibration=inputs.calibration.provenance() if mode.integer else None,
        tools=_tools(mode, inputs),
        ours=inputs.shipped,
        pixels=normalization(inputs.model.name),
    )
    head = outlier_head.parameters(inputs.model)
    if head and mode is not QuantizationMode.QAT:  # which trains the network without its head
        card["outlier_head"] = {"parameters": head, **inputs.about.get("outlier_head", {})}
    if float_layers:
        card["float_layers"] = list(float_layers)
    if weight_bits is not WeightBits.EIGHT:
        card["weight_bits"] = str(weight_bits)
    if inputs.features:  # of each layer
        card["features"] = [block.channels for block in FEATURE_BLOCKS]
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / out.name
        trial.write_bytes(describe(graph, card))
        findings = lint(
            trial, io=io, integer=mode.integer, float_layers=len(float_layers), output=output
        )
        scores = verify.file_scores(trial, inputs.held_out.images, features=inputs.features)
        comparison = _compare(scores, inputs)
        if _loses_too_much(comparison, max_drop):
            limit, remedy = (
                (
                    f"loses more than {100 * max_drop:g} points",
                    "Raise --max-drop to write it anyway.",
                )
                if isinstance(comparison, verify.AccuracyComparison)
                else (f"has a mean cosine below {LEAST_COSINE}", "Choose another --calibration.")
            )
            raise ExportError(
                f"{out} was not written, because it {limit} on {inputs.judged_on}: {comparison}. "
                f"{remedy}"
            )
        card |= measured(card, trial, scores, inputs)
    data = describe(graph, card)
    with replacing(file, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)
    return Export(out, len(data), comparison, findings, float_layers, card.get("acceptance"))


def _judge(
    data: bytes, inputs: ExportInputs
) -> verify.AccuracyComparison | verify.OutputComparison:
    """Compare a .tflite file with the network that it came from."""
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "trial.tflite"
        trial.write_bytes(data)
        return _compare(
            verify.file_scores(trial, inputs.held_out.images, features=inputs.features), inputs
        )


def _compare(
    scores: NDArray[np.float32], inputs: ExportInputs
) -> verify.AccuracyComparison | verify.OutputComparison:
    """Compare a file's scores with those of the network that it came from."""
    if inputs.judges_accuracy:
        return verify.compare(inputs.scores, scores, inputs.held_out.labels)
    return verify.compare_outputs(inputs.scores, scores, features=inputs.features)


def _loses_too_much(
    comparison: verify.AccuracyComparison | verify.OutputComparison, max_drop: float
) -> bool:
    """Return whether a file may not be written.

    If the limit is less than one image, a difference within chance passes as well.
    """
    if isinstance(comparison, verify.AccuracyComparison):
        if 0 < max_drop * comparison.images < 1 and comparison.p_value >= _CHANCE:
            return False
        return comparison.top1_drop > max_drop + _ROUNDING
    return comparison.mean_cosine < LEAST_COSINE


def _parameters(inputs: ExportInputs) -> int:
    """Return the number of parameters in the exported part, BatchNorm's moments included.

    Those of an outlier head are not counted.
    """
    model = feature_extractor(inputs.model) if inputs.features else inputs.model
    return int(model.count_params()) - outlier_head.parameters(model)


def _tools(mode: QuantizationMode, inputs: ExportInputs) -> tuple[str, ...]:
    """Return the distributions that helped to make a graph."""
    if mode is QuantizationMode.QAT:
        return TOOLS + QAT_TOOLS
    if mode.integer and inputs.calibration.split == "photographs":
        return TOOLS + PHOTOGRAPH_TOOLS
    return TOOLS


def int8_graph(
    inputs: ExportInputs,
    scales: Scales = _EIGHT_BITS,
    *,
    io: IoType = IoType.UINT8,
    output: IoType = IoType.UINT8,
) -> bytes:
    """Return the network in int8, with biases that make up for the rounding of its kernels.

    Args:
        inputs: the network and its images.
        scales: of the kernels.
        io: type of the input.
        output: type of the output.
    """
    images = inputs.calibration.images
    network = deployed(bias.corrected(inputs.model, images, scales), features=inputs.features)
    graph = quantize.to_int8(
        network, images, io=io, output=output, pixels=normalization(inputs.model.name)
    )
    if scales is _EIGHT_BITS:  # which the converter takes
        return graph
    return requantized(graph, convert.to_float32(network), scales)


def _graph(
    mode: QuantizationMode,
    inputs: ExportInputs,
    io: IoType,
    output: IoType,
    scales: Scales,
    qat_dir: Path | None,
    say: Callable[[str], None],
) -> bytes:
    match mode:
        case QuantizationMode.NONE:
            return convert.to_float32(deployed(inputs.model, features=inputs.features))
        case QuantizationMode.FLOAT16:
            return quantize.to_float16(deployed(inputs.model, features=inputs.features))
        case QuantizationMode.DYNAMIC:
            return quantize.to_dynamic(deployed(inputs.model, features=inputs.features))
        case QuantizationMode.INT8:
            return int8_graph(inputs, scales, io=io, output=output)
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
