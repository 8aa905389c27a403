"""Other runtimes with the same trained weights, side by side with ours.

Each peer is a module of `PEERS` with

    PRECISIONS                  what it offers
    lacks(precision)            why this machine cannot do a precision, or ""
    make(network, folder)       its files by precision, converted where they are not there yet
    Session                     a `benchmarks.contenders.Runner` of one file
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.contenders import Contender, Missing, Runner, file_hash
from benchmarks.results import Subject
from edge_runtime.benchmark.environment import read_environment

# Which packages each needs is known before any is imported.
PEERS: dict[str, tuple[str, ...]] = {
    "litert": (),
    "onnx_runtime": ("onnx", "onnxruntime"),
    "open_vino": ("onnx", "openvino", "nncf"),
}
_TITLES = {"litert": "LiteRT", "onnx_runtime": "ONNX Runtime", "open_vino": "OpenVINO"}


@dataclass(frozen=True)
class Network:
    """A network as peers take it.

    Attributes:
        model: builds the Keras network with its weights.
        calibration: images that set activation ranges, uint8 (N, H, W, channels).
        files: our exports, by precision.
        sha256: of the weights.
    """

    name: str
    model: Callable[[], keras.Model]
    calibration: NDArray[np.uint8]
    files: dict[str, Path]
    sha256: str
    trained: bool


def contenders(
    network: Network,
    folder: Path,
    threads: Sequence[int] = (1,),
    batches: Sequence[int] = (1,),
    *,
    names: Iterable[str] = tuple(PEERS),
) -> Iterator[Contender | Missing]:
    """Yield every peer in every precision with every number of threads and images a call.

    Args:
        folder: where converted files are kept, a folder for each network's weights.
        names: of the peers' modules.
    """
    for name in names:
        missing = [package for package in PEERS[name] if find_spec(package) is None]
        if missing:
            reason = f"{', '.join(missing)} not found; install with: pip install -e '.[peers]'"
            yield Missing(Subject(network.name, "any", _TITLES[name]), reason)
            continue
        try:
            peer = import_module(f"{__name__}.{name}")
            files = peer.make(network, folder / _key(network, PEERS[name]))
        except Exception as exc:  # converters raise almost any type
            reason = f"it could not be converted ({type(exc).__name__}: {exc})"
            yield Missing(Subject(network.name, "any", _TITLES[name]), reason)
            continue
        for precision in peer.PRECISIONS:
            lack = peer.lacks(precision)
            if lack:
                yield Missing(Subject(network.name, precision, _TITLES[name]), lack)
                continue
            if precision not in files:
                continue
            path = files[precision]
            parts = [path, *_beside(path)]
            size = sum(part.stat().st_size for part in parts)
            digests = [file_hash(part) for part in parts]
            digest = hashlib.sha256("".join(digests).encode()).hexdigest()
            for count in threads:
                for batch in batches:
                    yield Contender(
                        Subject(
                            network.name,
                            precision,
                            _TITLES[name],
                            threads=count,
                            batch=batch,
                            trained=network.trained,
                        ),
                        path,
                        size,
                        digest,
                        partial(_opened, peer.Session, path, precision, count, batch),
                        partial(_opened, peer.Session, path, precision, count, 1),
                    )


def _key(network: Network, packages: Sequence[str]) -> str:
    """Return a folder name for files that are converted from a network, on this kind of machine."""
    decides = [
        network.sha256,
        hashlib.sha256(network.calibration.tobytes()).hexdigest(),
        {package: version(package) for package in packages},
        read_environment().instructions,
    ]
    digest = hashlib.sha256(json.dumps(decides).encode()).hexdigest()
    return digest[:12] if network.trained else f"untrained-{digest[:12]}"


def _opened(session: Callable[..., Runner], *arguments: object) -> Runner:
    try:
        return session(*arguments)
    except Exception as exc:  # runtimes have classes of their own
        raise RuntimeError(f"{type(exc).__name__}: {exc}") from exc


def _beside(path: Path) -> list[Path]:
    return [path.with_suffix(".bin")] if path.suffix == ".xml" else []  # OpenVINO's weights


def planar(image: NDArray[np.uint8], batch: int) -> NDArray[np.float32]:
    """Return an image as ONNX networks take it: float32 (batch, channels, H, W), 0-1."""
    one = image.transpose(2, 0, 1)[np.newaxis].astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(np.repeat(one, batch, axis=0))


def first(scores: Any) -> NDArray[np.float32]:
    """Return the scores of a batch's first image, float32 (classes,)."""
    return np.array(scores[0], np.float32)
