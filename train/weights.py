"""A network's weights as a safetensors file (https://github.com/huggingface/safetensors)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import save_file

from edge_runtime.support.files import file_sha256, replacing
from train.reason import reason

SHIPPED = Path(__file__).parent / "checkpoints"
OUTLIER_HEAD = "-outlier-head"  # ends the name of a file that extends a network by its head


class CheckpointError(Exception):
    """A weights file is missing, damaged, of another network, or cannot be written."""


def write(path: str | Path, tensors: Mapping[str, NDArray], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file, atomically.

    Raises:
        CheckpointError: the disk is full, or the folder cannot be written to.
    """
    try:
        with replacing(path) as temporary:
            save_file(dict(tensors), temporary, dict(metadata))
    except (OSError, safetensors.SafetensorError) as exc:
        raise CheckpointError(
            f"{path} could not be written ({reason(exc)}); the previous file, if any, is intact."
        ) from exc


def save(
    model: keras.Model,
    path: str | Path,
    *,
    dtype: Literal["float32", "float16"] = "float32",
    about: Mapping[str, Any] | None = None,
    extends: Path | None = None,
) -> None:
    """Write all weights, each under its layer's and its own name (`dense/kernel`), atomically.

    Args:
        dtype: type in which the file keeps the weights.
        about: JSON types that say where the weights come from; the file's metadata keeps them.
        extends: a file in the same folder; weights that are in it are left out here, and `read`
            takes them from there.

    Raises:
        CheckpointError: `extends` is missing or damaged, or the file could not be written.
    """
    elsewhere = read(extends)[0] if extends else {}
    tensors = {w.path: np.asarray(w.numpy(), dtype) for w in model.weights}
    tensors = {name: tensor for name, tensor in tensors.items() if name not in elsewhere}
    metadata = {"about": json.dumps(about or {}, sort_keys=True)}
    if extends:
        metadata |= {"extends": extends.name, "extends_sha256": file_hash(extends)}
    write(path, tensors, metadata)


def read(path: str | Path) -> tuple[dict[str, NDArray], dict[str, str]]:
    """Return the tensors of a safetensors file by name, and its metadata.

    Raises:
        CheckpointError: the file, or the one that it extends, is missing or damaged.
    """
    with _opened(path) as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata() or {}
    if "extends" in metadata:
        extended = Path(path).parent / metadata["extends"]
        tensors |= read(extended)[0]
        if not fits(Path(path)):
            raise CheckpointError(
                f"{path} extends other weights than those in {extended.name} beside it; take both "
                f"from one version, or train it anew with --recipe outlier-head."
            )
    return tensors, metadata


def fits(path: Path) -> bool:
    """Return whether a file extends the weights that are now in the file that it names, or none.

    Raises:
        CheckpointError: one of the files is missing or damaged.
    """
    metadata = _metadata(path)
    if "extends" not in metadata:
        return True
    return file_hash(path.parent / metadata["extends"]) == metadata.get("extends_sha256")


def files(path: Path) -> list[Path]:
    """Return a checkpoint's file, and the one that it extends if there is such."""
    try:
        extended = _metadata(path).get("extends")
    except CheckpointError:  # whoever reads it says so
        return [path]
    return [path, path.parent / extended] if extended else [path]


def about(path: str | Path) -> dict[str, Any]:
    """Return the `about` of a file that `save` wrote, without reading a tensor.

    Raises:
        CheckpointError: the file is missing or damaged. The one that it extends is not looked at.
    """
    return json.loads(_metadata(path).get("about", "{}"))


def _metadata(path: str | Path) -> dict[str, str]:
    with _opened(path) as file:
        return file.metadata() or {}


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    """Open a safetensors file, whose header is checked then.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    if not Path(path).is_file():
        raise CheckpointError(
            f"There is no checkpoint {path}; train one with `python -m train`, and make it the "
            f"one that ships with `python -m train ship`."
        )
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            yield file
    except (OSError, safetensors.SafetensorError) as exc:
        raise CheckpointError(
            f"{path} is not a readable safetensors file ({reason(exc)})."
        ) from exc


def exported(network: str) -> Path:
    """Return the shipped checkpoint that a network is exported from: with a head if it has one.

    Args:
        network: a name in `train.networks.NETWORKS`.
    """
    with_head = SHIPPED / f"{network}{OUTLIER_HEAD}.safetensors"
    return with_head if with_head.exists() else SHIPPED / f"{network}.safetensors"


def file_hash(path: str | Path) -> str:
    """Return the sha256 of a weights file as 64 hexadecimal digits.

    Raises:
        CheckpointError: the file is missing or cannot be read.
    """
    try:
        return file_sha256(Path(path))
    except OSError as exc:
        raise CheckpointError(f"{path} cannot be read ({reason(exc)}).") from exc


def load(model: keras.Model, path: str | Path, *, but: str = "") -> dict[str, Any]:
    """Set the weights of `model` from a file that `save` wrote, and return the file's `about`.

    Args:
        but: layers whose names begin with this keep their weights; by default none does.

    Raises:
        CheckpointError: the file is missing or damaged, or its names or shapes differ.
    """
    tensors, metadata = read(path)
    kept = (but,) if but else ()
    chosen = [w for w in model.weights if not w.path.startswith(kept)]
    expected = {w.path: tuple(w.shape) for w in chosen}
    found = {name: t.shape for name, t in tensors.items() if not name.startswith(kept)}
    if found != expected:
        name = min(dict(expected.items() ^ found.items()))
        raise CheckpointError(
            f"{path} holds another network than {model.name}: expected {name} to be "
            f"{expected.get(name, 'absent')}, but got {found.get(name, 'nothing')}."
        )
    for weight in chosen:
        weight.assign(tensors[weight.path].astype(np.float32))
    return json.loads(metadata.get("about", "{}"))
