"""Quantization-aware training: a few epochs in which the network is rounded while it learns.

The network, rebuilt by `export.tf_keras_model`, learns the scores of its float self (Hinton et al.
2015, arXiv:1503.02531).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray
from tqdm import tqdm

from edge_runtime.support import native_log
from export.convert import free_batch
from export.fake_quantization import quantization_aware
from export.quantize import IoType
from train import augment, weights
from train.dataset import Split, digest

CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True, kw_only=True)
class FineTuning:
    """All settings of the fine-tuning, besides network and data."""

    epochs: int = 2
    batch_size: int = 128  # images
    learning_rate: float = 1e-2  # at the start; falls to zero along half a cosine
    temperature: float = 2.0  # divides the logits of teacher and student
    translate: int = 3  # pixels; images are also flipped at random
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
    """Return a quantization-aware copy of `teacher`, trained to give the teacher's scores.

    Every epoch ends with a checkpoint in `run_dir`, from which a stopped run is resumed.

    Args:
        teacher: from `tf_keras_model.build`.
        train: images to train on; their labels are not used.
        run_dir: folder for the checkpoint.
        calibration: uint8 (N, 32, 32, 3), RGB, 0-255; training starts from the ranges of the
            teacher's activations on them.
        recipe: the settings.
        identity: identifies network and calibration images; a checkpoint with another identity is
            ignored.
        say: receives a line of progress.

    Raises:
        CheckpointError: the checkpoint is damaged, cannot be written, or comes from elsewhere.
    """
    tf_keras.utils.set_random_seed(recipe.seed)
    tf.config.experimental.enable_op_determinism()
    student = quantization_aware(teacher, calibration)
    optimizer = tf_keras.optimizers.SGD(recipe.learning_rate, momentum=0.9, nesterov=True)
    optimizer.build(student.trainable_variables)
    identity = json.dumps({"network": identity, "recipe": asdict(recipe), "images": digest(train)})
    path = run_dir / CHECKPOINT
    variables = [*student.variables, *optimizer.variables]
    done = _restore(path, variables, identity)
    if done:
        say(f"resuming after epoch {done} of {recipe.epochs}")

    @tf.function(input_signature=[tf.TensorSpec([None, *teacher.input_shape[1:]], tf.float32)])
    def step(images: tf.Tensor) -> tf.Tensor:
        wanted = tf.nn.softmax(teacher(images, training=False) / recipe.temperature)
        with tf.GradientTape() as tape:
            logits = student(images, training=True) / recipe.temperature
            loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(wanted, logits))
        gradients = tape.gradient(loss, student.trainable_variables)
        optimizer.apply_gradients(zip(gradients, student.trainable_variables, strict=True))
        entropy = -tf.reduce_mean(tf.reduce_sum(wanted * tf.math.log(wanted + 1e-12), axis=1))
        return loss - entropy  # the Kullback-Leibler divergence, 0 if both agree

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


def to_int8(student: tf_keras.Model, *, io: IoType = IoType.UINT8) -> bytes:
    """Convert a quantization-aware network: int8 throughout, one scale per output channel.

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


def _batches(train: Split, recipe: FineTuning, epoch: int) -> Iterator[NDArray[np.float32]]:
    """Yield augmented images, float32 (batch, 32, 32, 3), 0-1, in an order that the seed sets."""
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
    """Set the variables from a checkpoint, and return the number of epochs done, 0 if none."""
    if not path.exists():
        return 0
    tensors, metadata = weights.read(path)
    if "epochs" not in metadata:  # for example the checkpoint of a training
        raise weights.CheckpointError(
            f"{path} is not from quantization-aware training, and it would be replaced; move it to "
            f"another folder."
        )
    if metadata["identity"] != identity:
        return 0
    for i, variable in enumerate(variables):
        variable.assign(tensors[str(i)])
    return int(metadata["epochs"])
