"""What `edge-teach` makes of some committed images, and what that model answers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from numpy import float32
from numpy.typing import NDArray

from export import committed
from tests.arm import agreement

CLASSES = ("cat", "ship", "truck")


def scores_of_a_taught_model(
    commands: Path, folder: Path, images: list[Path], learnt: int, env: dict[str, str]
) -> NDArray[float32]:
    """Teach a model, and return its scores of images that it has not seen, (images, classes).

    Args:
        commands: folder of an environment's console scripts.
        folder: for the photographs, their features and the model; what is there is deleted.
        images: from `agreement.write_images`, all of them.
        learnt: from how many images of each class the model learns. It then sees as many others.
        env: the environment of the commands.

    Raises:
        subprocess.CalledProcessError: a command failed; its messages were printed.
    """
    shutil.rmtree(folder, ignore_errors=True)
    photographs, taught = folder / "photographs", folder / "taught.tflite"
    env = {**env, "XDG_CACHE_HOME": str(folder / "cache")}
    labels = committed.read().held_out.labels
    names = committed.read().class_names
    unseen = []
    for name in CLASSES:
        own = [image for image, label in zip(images, labels, strict=True) if names[label] == name]
        (photographs / name).mkdir(parents=True)
        for image in own[:learnt]:
            shutil.copy(image, photographs / name)
        unseen += own[learnt : 2 * learnt]
    subprocess.run(
        [commands / "edge-teach", photographs, "--side", "128", "--threads", "1", "--out", taught],
        stdout=subprocess.PIPE,
        check=True,
        env=env,
    )
    return agreement.classify(commands, str(taught), "xnnpack", unseen, env=env)
