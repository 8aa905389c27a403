"""Scores of the committed images: recorded on x86-64, and compared with another machine's.

`x86.npz` holds, for each shipped model and each delegate of the CPU, the scores of the held-out
images, float32 (500, 10), and the SHA-256 of the model file.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.inference import shipped
from edge_runtime.support.files import replacing
from export import committed

RECORD = Path(__file__).parent / "x86.npz"
DELEGATES = ("xnnpack", "cpu")
LEAST_AGREEMENT = 0.995  # of the labels
MOST_DIFFERENCE = 2 / 256  # of a score
# Built-in kernels round otherwise than XNNPACK, and an outlier head, whose output is steep, makes
# more of it. This is the limit within which `auto` takes a delegate.
MOST_OF_BUILT_IN = 16 / 256


@dataclass(frozen=True)
class Agreement:
    """How far the scores of some images agree with recorded ones.

    Attributes:
        images: how many images were compared.
        same: how many of them have the same label.
        difference: largest difference of a score, 0 to 1.
        most: the difference that is allowed.
    """

    images: int
    same: int
    difference: float
    most: float = MOST_DIFFERENCE

    def __bool__(self) -> bool:
        return self.same >= LEAST_AGREEMENT * self.images and self.difference <= self.most

    def __str__(self) -> str:
        steps = f"{self.difference * 256:.2f}/256"
        return f"{self.same} of {self.images} labels, scores within {steps}"


def compare(
    scores: NDArray[np.float32], recorded: NDArray[np.float32], most: float = MOST_DIFFERENCE
) -> Agreement:
    """Compare the scores of the first images, (images, classes), with the recorded ones.

    Args:
        most: the difference that is allowed.

    Raises:
        ValueError: there are no scores, or more than recorded ones.
    """
    if not 0 < len(scores) <= len(recorded):
        raise ValueError(f"Expected scores of 1 to {len(recorded)} images, got {len(scores)}.")
    recorded = recorded[: len(scores)]
    same = int((scores.argmax(1) == recorded.argmax(1)).sum())
    return Agreement(len(scores), same, float(np.abs(scores - recorded).max()), most)


def cases() -> Iterator[tuple[str, str]]:
    """Yield the name of each shipped model with each delegate of the CPU."""
    for model in shipped.models():
        for delegate in DELEGATES:
            yield model, delegate


def record_for(model: str, delegate: str) -> tuple[str, str]:
    """Return the model and the delegate whose record on x86-64 fits these on Arm.

    LiteRT's built-in int8 convolutions give its reference kernels' values on x86-64, but other
    values on Arm. There the scores are XNNPACK's within the limits, so its record fits.
    """
    return model, "xnnpack" if model.endswith("int8") else delegate


def write_images(folder: Path) -> None:
    """Write the committed held-out images as PNG files, named in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, pixels in enumerate(committed.read().held_out.images):
        Image.fromarray(pixels).save(folder / f"{index:03}.png")


def classify(
    commands: Path, model: str, delegate: str, images: list[Path], **options
) -> NDArray[np.float32]:
    """Return the scores of images, (images, classes), from the `edge-classify` in `commands`.

    Args:
        commands: folder of an environment's console scripts.
        model: name of a shipped model.
        delegate: name of a delegate.
        images: the image files.
        options: passed on to `subprocess.run`.

    Raises:
        subprocess.CalledProcessError: the command failed; its messages were printed.
        ValueError: a result is missing.
    """
    command = [commands / "edge-classify", "--threads", "1", "--json", "--top-k", "1000"]
    command += ["--model", model, "--delegate", delegate, *images]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, **options)
    results = [json.loads(line) for line in output.stdout.splitlines()]
    if [result["source"] for result in results] != [str(image) for image in images]:
        raise ValueError(f"edge-classify gave {len(results)} results for {len(images)} images.")
    scores = np.zeros((len(results), len(results[0]["predictions"])), np.float32)
    for row, result in zip(scores, results, strict=True):
        for prediction in result["predictions"]:
            row[prediction["index"]] = prediction["score"]
    return scores


def write(recorded: dict[tuple[str, str], NDArray[np.float32]], path: Path = RECORD) -> None:
    """Write the scores of each model and delegate, with the hashes of the models."""
    arrays = {f"{model} {delegate}": scores for (model, delegate), scores in recorded.items()}
    hashes = {name: np.array(_hash(file)) for name, file in shipped.models().items()}
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays, **hashes)


def read(path: Path = RECORD) -> dict[tuple[str, str], NDArray[np.float32]]:
    """Return the recorded scores by model and delegate.

    Raises:
        ValueError: they were recorded for other model files.
    """
    with np.load(path) as stored:
        for name, file in shipped.models().items():
            if name not in stored or stored[name].item() != _hash(file):
                raise ValueError(
                    f"{path.name} was recorded with another {name}; on x86-64, run: "
                    f"python -m tests.arm --record"
                )
        return {case: stored[" ".join(case)] for case in cases()}


def _hash(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()
