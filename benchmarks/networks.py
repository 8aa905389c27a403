"""The networks that peers can convert: those of the shipped checkpoints, and untrained ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, partial
from pathlib import Path

import keras

from benchmarks.contenders import Contender, Missing
from benchmarks.peers.convertible import ConvertibleNetwork
from benchmarks.results import OURS, Subject
from edge_runtime.inference.metadata import read_metadata
from edge_runtime.support.files import write_new
from export import committed, convert, quantize
from export.inputs import load_inputs
from train import weights
from train.networks import CIFAR10_NETWORKS


def trained(contenders: Iterable[Contender | Missing]) -> Iterator[ConvertibleNetwork | Missing]:
    """Yield the networks of our contenders that have a shipped checkpoint.

    Peers are converted from that checkpoint. If our files of a network come from another
    checkpoint, the network is missing for peers.
    """
    files: dict[str, dict[str, Path]] = {}
    for contender in contenders:
        if isinstance(contender, Contender) and contender.subject.runtime == OURS:
            subject = contender.subject
            files.setdefault(subject.network, {}).setdefault(subject.precision, contender.path)
    for name, of_network in files.items():
        checkpoint = weights.exported(name)
        if name not in CIFAR10_NETWORKS or not checkpoint.exists():
            continue
        digest = weights.file_hash(checkpoint)
        origins = {read_metadata(p).card.get("checkpoint_sha256") for p in of_network.values()}
        if origins == {digest}:
            model = cache(partial(_with_weights, name, checkpoint))
            images = committed.read().train.images
            yield ConvertibleNetwork(name, model, images, of_network, digest, trained=True)
        else:
            reason = (
                f"not all files of {name} come from {checkpoint.name}, which the peers would use"
            )
            yield Missing(Subject(name, "any", "peers"), reason)


def untrained(name: str, folder: Path) -> ConvertibleNetwork:
    """Return a network with random weights; export it into `folder` unless it is there already."""
    images = committed.read().train.images
    files = {p: folder / f"{name}-{p}.tflite" for p in ("float32", "int8")}

    @cache
    def model() -> keras.Model:
        keras.utils.set_random_seed(0)
        return CIFAR10_NETWORKS[name].build()

    if not files["float32"].exists():
        write_new(files["float32"], convert.to_float32(model()))
    if not files["int8"].exists():
        write_new(files["int8"], quantize.to_int8(model(), images))
    return ConvertibleNetwork(name, model, images, files, sha256="", trained=False)


def _with_weights(name: str, checkpoint: Path) -> keras.Model:
    return load_inputs(name, checkpoint).model
