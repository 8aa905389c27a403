"""Start a training from ResNet18 weights for ImageNet in a safetensors file.

The file has torchvision's names and shapes (https://docs.pytorch.org/vision/stable/models.html),
as timm publishes them. Kernels of convolutions are (out, in, height, width) there. Nothing is
unpickled.
"""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np

from train.download import DownloadError, fetch
from train.pytorch import as_keras, torch_kind
from train.weights import CheckpointError, file_hash, read

URL = "https://huggingface.co/timm/resnet18.tv_in1k/resolve/main/model.safetensors"

# Torchvision's ImageNet weights take (pixel / 255 - mean) / std, RGB.
_MEAN = np.array([0.485, 0.456, 0.406])
_STD = np.array([0.229, 0.224, 0.225])


def download(sha256: str | None = None, *, url: str = URL, cache: Path | None = None) -> Path:
    """Download the public weights into the user's cache, once, and return their path.

    Args:
        sha256: the expected sha256 of the file; without it, any content is accepted.
        url: where the file comes from.
        cache: folder of the cache; by default the user's.

    Raises:
        CheckpointError: the download failed, or the sha256 differs.
    """
    try:
        known_hash = f"sha256:{sha256}" if sha256 else None
        return fetch(url, "resnet18-imagenet.safetensors", known_hash, cache)
    except DownloadError as exc:
        raise CheckpointError(
            f"ImageNet weights could not be downloaded from {url} ({exc}); download them by hand "
            f"and name the file with --weights."
        ) from exc


def check(path: Path, sha256: str) -> None:
    """Make sure that a file has the expected sha256.

    Raises:
        CheckpointError: it has another one, or cannot be read.
    """
    found = file_hash(path)
    if found != sha256.lower():
        raise CheckpointError(f"Expected {path} to have sha256 {sha256}, but got {found}.")


def load(model: keras.Model, path: Path) -> str:
    """Set the weights of a ResNet18 from a file, as far as the shapes agree.

    Our first convolution takes images in 0-1. Therefore ImageNet's normalization goes into its
    kernel, and the constant that remains into the moving mean of the BatchNorm after it. (At the
    border the original pads with its mean colour, and ours with black.)

    Returns:
        A line that says what was loaded, and what was not and therefore stays random.

    Raises:
        CheckpointError: the file is missing or damaged, or is not torchvision's ResNet18.
    """
    tensors, _ = read(path)
    missing = [name for name in map(_torch_name, model.weights) if name not in tensors]
    if missing:
        raise CheckpointError(
            f"{path} is not torchvision's ResNet18: it lacks {missing[0]} "
            f"and {len(missing) - 1} other tensors."
        )
    names = {*map(_torch_name, model.weights)}
    extra = sorted(n for n in tensors if n not in names and not n.endswith("num_batches_tracked"))
    if extra:
        raise CheckpointError(
            f"{path} is not torchvision's ResNet18: it also has {extra[0]} "
            f"and {len(extra) - 1} other tensors."
        )
    if tensors["conv1.weight"].ndim != 4 or tensors["conv1.weight"].shape[1] != len(_MEAN):
        raise CheckpointError(
            f"{path} is not torchvision's ResNet18: expected conv1.weight to take {len(_MEAN)} "
            f"channels, but its shape is {tensors['conv1.weight'].shape}."
        )
    values = {w.path: as_keras(tensors[_torch_name(w)]).astype(np.float64) for w in model.weights}
    stem = values["stem_conv/kernel"]
    values["stem_conv/kernel"] = stem / _STD[:, None]
    values["stem_bn/moving_mean"] += (stem * (_MEAN / _STD)[:, None]).sum(axis=(0, 1, 2))
    left_out = {w.path for w in model.weights if values[w.path].shape != tuple(w.shape)}
    if "stem_conv/kernel" in left_out:  # then its BatchNorm does not fit either
        left_out |= {w.path for w in model.weights if w.path.startswith("stem_bn/")}
    for weight in model.weights:
        if weight.path not in left_out:
            weight.assign(values[weight.path].astype(np.float32))
    total = len(model.weights)
    line = f"{path}: {total - len(left_out)} of {total} tensors loaded"
    if left_out:
        line += f"; not loaded, because their shapes differ: {', '.join(sorted(left_out))}"
    return line


def _torch_name(weight: keras.Variable) -> str:
    """Return torchvision's name of a weight of `architectures.resnet18`."""
    layer, kind = weight.path.split("/")
    layer = re.sub(r"^stem_(conv|bn)$", r"\g<1>1", layer)
    layer = re.sub(
        r"^stage(\d)_block(\d)_",
        lambda found: f"layer{found[1]}.{int(found[2]) - 1}.",
        layer,
    )
    layer = layer.replace("shortcut_bn", "downsample.1").replace("shortcut", "downsample.0")
    layer = layer.replace("logits", "fc")
    return f"{layer}.{torch_kind(kind)}"
