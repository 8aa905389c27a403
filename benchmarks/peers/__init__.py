"""Peers: other runtimes that run the same weights.

Each peer is a module named in `PEERS`, with these members:

    PRECISIONS                  the precisions that it offers
    lacks(precision)            why this machine does not support a precision, or ""
    make(network, folder)       its files by precision; missing files are converted first
    PeerRunner                  a `benchmarks.contenders.Runner` for one file
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from benchmarks.contenders import Contender, Missing, Runner
from benchmarks.peers.convertible import ConvertibleNetwork
from benchmarks.results import Subject
from edge_runtime.support.environment import read_environment
from edge_runtime.support.files import file_sha256

# The packages that each peer needs, known before any of them is imported.
PEERS: dict[str, tuple[str, ...]] = {
    "litert": (),
    "onnx_runtime": ("onnx", "onnxruntime"),
    "open_vino": ("onnx", "openvino", "nncf"),
}
_TITLES = {"litert": "LiteRT", "onnx_runtime": "ONNX Runtime", "open_vino": "OpenVINO"}


def contenders(
    network: ConvertibleNetwork,
    folder: Path,
    threads: Sequence[int] = (1,),
    batches: Sequence[int] = (1,),
    *,
    names: Iterable[str] = tuple(PEERS),
) -> Iterator[Contender | Missing]:
    """Yield every peer in every precision with every number of threads and every batch.

    Args:
        network: the network to convert.
        folder: where converted files are kept, in a folder for each set of weights.
        threads: numbers of CPU threads.
        batches: numbers of images per call.
        names: modules of the peers.
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
        except Exception as exc:  # converters raise errors of almost any type
            reason = f"the conversion failed ({type(exc).__name__}: {exc})"
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
            digests = [file_sha256(part) for part in parts]
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
                        partial(_opened, peer.PeerRunner, path, precision, count, batch),
                        partial(_opened, peer.PeerRunner, path, precision, count, 1),
                    )


def _key(network: ConvertibleNetwork, packages: Sequence[str]) -> str:
    """Return a folder name for the files converted from this network on this kind of machine."""
    key = [
        network.sha256,
        hashlib.sha256(network.calibration.tobytes()).hexdigest(),
        {package: version(package) for package in packages},
        read_environment().instructions,
    ]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    return digest[:12] if network.trained else f"untrained-{digest[:12]}"


def _opened(runner: Callable[..., Runner], *arguments: object) -> Runner:
    try:
        return runner(*arguments)
    except Exception as exc:  # every runtime has its own error classes
        raise RuntimeError(f"{type(exc).__name__}: {exc}") from exc


def _beside(path: Path) -> list[Path]:
    return [path.with_suffix(".bin")] if path.suffix == ".xml" else []  # OpenVINO's weights
