"""Quantization-aware training: a few epochs in which the network feels its own rounding.

The network, rebuilt by `export.twin`, learns from the scores of its float self (Hinton et al. 2015,
arXiv:1503.02531).
"""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray
from tqdm import tqdm

with warnings.catch_warnings():  # it compares versions with distutils
    warnings.simplefilter("ignore", DeprecationWarning)
    import tensorflow_model_optimization as tfmot

from edge_runtime.support import native_log
from export.convert import free_batch
from export.quantize import Io
from train import augment, weights
from train.dataset import Split, digest

CHECKPOINT = "checkpoint.safetensors"
_RANGES_BATCH = 50  # images whose activations of all layers are in memory at once


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """Everything that decides the fine-tuning, except network and data."""

    epochs: int = 2
    batch_size: int = 128  # images
    learning_rate: float = 1e-2  # at the start; half a cosine to zero
    temperature: float = 2.0  # divides the logits of both
    translate: int = 3  # pixels, besides random flips
    seed: int = 0


def fine_tune(
    teacher: tf_keras.Model,
    train: Split,
    run_dir: Path,
    *,
    calibration: NDArray[np.uint8],
    recipe: FineTuning,
    identity: str,
    say: Callable[[str], None] = print,
) -> tf_keras.Model:
    """Return a quantization-aware copy of `teacher`, trained to give its scores.

    A checkpoint is written to `run_dir` after every epoch, and a run whose checkpoint is there
    goes on from it.

    Args:
        teacher: from `twin.build`.
        calibration: uint8 (N, 32, 32, 3), RGB; training starts from the ranges of its activations.
        identity: of the network and those images; a checkpoint of others is started over.

    Raises:
        CheckpointError: the checkpoint is damaged or cannot be written.
    """
    tf_keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    student = _quantized(teacher)
    _set_ranges(student, teacher, calibration)
    optimizer = tf_keras.optimizers.SGD(recipe.learning_rate, momentum=0.9, nesterov=True)
    optimizer.build(student.trainable_variables)
    identity = json.dumps({"network": identity, "recipe": asdict(recipe), "images": digest(train)})
    path = run_dir / CHECKPOINT
    variables = [*student.variables, *optimizer.variables]
    done = _restore(path, variables, identity)
    if done:
        say(f"going on after epoch {done} of {recipe.epochs}")

    @tf.function(input_signature=[tf.TensorSpec([None, *teacher.input_shape[1:]], tf.float32)])
    def step(images: tf.Tensor) -> tf.Tensor:
        wanted = tf.nn.softmax(teacher(images, training=False) / recipe.temperature)
        with tf.GradientTape() as tape:
            logits = student(images, training=True) / recipe.temperature
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, logits))
        gradients = tape.gradient(loss, student.trainable_variables)
        optimizer.apply_gradients(zip(gradients, student.trainable_variables, strict=True))
        entropy = -tf.reduce_mean(tf.reduce_sum(wanted * tf.math.log(wanted + 1e-12), axis=1))
        return loss - entropy  # the Kullback-Leibler divergence, 0 where both agree

    steps = math.ceil(len(train) / recipe.batch_size)
    for epoch in range(done, recipe.epochs):
        bar = tqdm(
            _batches(train, recipe, epoch),
            desc=f"epoch {epoch + 1}/{recipe.epochs}",
            total=steps,
            disable=None,
            leave=False,
        )
        divergence = 0.0
        for index, images in enumerate(bar):
            share = (epoch * steps + index) / (recipe.epochs * steps)
            optimizer.learning_rate.assign(
                recipe.learning_rate * (1 + math.cos(math.pi * share)) / 2
            )
            divergence += float(step(tf.constant(images))) / steps
        _save(path, variables, identity, epoch + 1)
        say(f"epoch {epoch + 1}/{recipe.epochs}  divergence from the float scores {divergence:.5f}")
    return student


def to_int8(student: tf_keras.Model, *, io: Io = "uint8") -> bytes:
    """Convert a quantization-aware network: int8 throughout, per-channel convolutions.

    Args:
        student: from `fine_tune`.
        io: type of the input and of the scores.
    """
    signature = [tf.TensorSpec([1, *student.input_shape[1:]], tf.float32, name="image")]
    scores = tf.function(
        lambda image: tf.nn.softmax(student(image, training=False)), input_signature=signature
    )
    with native_log.dropped():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [scores.get_concrete_function()], student
        )
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.inference_input_type = converter.inference_output_type = tf.dtypes.as_dtype(io)
        return free_batch(converter.convert())


class _DenseKernel(tfmot.quantization.keras.quantizers.Quantizer):
    """Rounds as the converter does: symmetric, a scale an output channel, 127 steps.

    Only in training: the converter cannot read a scale a channel off a dense layer, but gives
    such scales to a kernel that has none. TensorFlow Model Optimization's own has one for all.
    """

    def build(self, shape: tf.TensorShape, name: str, layer: tf_keras.layers.Layer) -> dict:
        return {}

    def __call__(self, kernel: tf.Tensor, training: bool, weights: dict, **_: object) -> tf.Tensor:
        if not training:
            return kernel
        largest = tf.reduce_max(tf.abs(kernel), axis=0)
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(
            kernel, -largest, largest, narrow_range=True
        )

    def get_config(self) -> dict:
        return {}


class _Dense(tfmot.quantization.keras.QuantizeConfig):
    """How a dense layer is rounded."""

    def get_weights_and_quantizers(self, layer: tf_keras.layers.Dense) -> list:
        return [(layer.kernel, _DenseKernel())]

    def get_activations_and_quantizers(self, layer: tf_keras.layers.Dense) -> list:
        as_elsewhere = tfmot.quantization.keras.quantizers.MovingAverageQuantizer(
            num_bits=8, per_axis=False, symmetric=False, narrow_range=False
        )
        return [(layer.activation, as_elsewhere)]

    def set_quantize_weights(self, layer: tf_keras.layers.Dense, weights: list) -> None:
        [layer.kernel] = weights

    def set_quantize_activations(self, layer: tf_keras.layers.Dense, activations: list) -> None:
        [layer.activation] = activations

    def get_output_quantizers(self, layer: tf_keras.layers.Dense) -> list:
        return []

    def get_config(self) -> dict:
        return {}


def _quantized(teacher: tf_keras.Model) -> tf_keras.Model:
    """Return a copy whose kernels and activations are rounded to int8 and back."""

    def annotated(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        config = _Dense() if isinstance(layer, tf_keras.layers.Dense) else None
        return tfmot.quantization.keras.quantize_annotate_layer(layer, config)

    with tfmot.quantization.keras.quantize_scope({"_Dense": _Dense}):
        return tfmot.quantization.keras.quantize_apply(
            tf_keras.models.clone_model(teacher, clone_function=annotated)
        )


def _set_ranges(
    student: tf_keras.Model, teacher: tf_keras.Model, images: NDArray[np.uint8]
) -> None:
    """Start from the ranges of the teacher's activations; the default is -6 to 6 everywhere."""
    of_layers = tf_keras.Model(teacher.input, {x.name: x.output for x in teacher.layers[1:]})
    ranges: dict[str, tuple[float, float]] = {}
    for start in range(0, len(images), _RANGES_BATCH):
        pixels = images[start : start + _RANGES_BATCH].astype(np.float32) / 255.0
        for name, x in of_layers.predict_on_batch(pixels).items():
            low, high = ranges.get(name, (np.inf, -np.inf))
            ranges[name] = min(low, float(x.min())), max(high, float(x.max()))
    for layer in student.layers:
        # The input's layer wraps none; pixels are 0-1, which is exactly 1/255 a step.
        low, high = ranges[layer.layer.name] if hasattr(layer, "layer") else (0.0, 1.0)
        for variable in layer.variables:
            name = variable.name.rsplit("/", 1)[-1]
            if "kernel" not in name and name.endswith("_min:0"):
                variable.assign(min(low, 0.0))
            elif "kernel" not in name and name.endswith("_max:0"):
                variable.assign(high)


def _batches(train: Split, recipe: FineTuning, epoch: int) -> Iterator[NDArray[np.float32]]:
    rng = np.random.default_rng([recipe.seed, epoch])
    order = rng.permutation(len(train))
    for start in range(0, len(order), recipe.batch_size):
        images = train.images[order[start : start + recipe.batch_size]]
        images = augment.flip(images, rng.random(len(images)) < 0.5)
        images = augment.translate(images, recipe.translate, rng)
        yield images.astype(np.float32) / 255.0


def _save(path: Path, variables: list[tf.Variable], identity: str, epochs: int) -> None:
    tensors = {str(i): np.asarray(v.numpy()) for i, v in enumerate(variables)}
    weights.write(path, tensors, {"identity": identity, "epochs": str(epochs)})


def _restore(path: Path, variables: list[tf.Variable], identity: str) -> int:
    """Set the variables to where an interrupted run was, and return the epochs that it had done."""
    if not path.exists():
        return 0
    tensors, metadata = weights.read(path)
    if metadata.get("identity") != identity:
        return 0
    for i, variable in enumerate(variables):
        variable.assign(tensors[str(i)])
    return int(metadata["epochs"])
