"""The passes of `python -m benchmarks`: find the contenders, measure them, store the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import accuracy_pass, latency_pass, networks, peak, peers
from benchmarks import results as stored
from benchmarks.contenders import Contender, Missing, contenders_of, with_unique_names
from benchmarks.cross_check import cross_check
from benchmarks.pairs import pairs_of
from benchmarks.peers.convertible import ConvertibleNetwork
from benchmarks.results import Results
from edge_runtime.benchmark.disturbance import Watch
from edge_runtime.support.environment import read_environment
from train import cifar10
from train.dataset import DataError
from train.networks import CIFAR10_NETWORKS


class Pass(StrEnum):
    """A part of the measurements that can run alone."""

    ACCURACY = "accuracy"
    LATENCY = "latency"


@dataclass(frozen=True)
class Request:
    """What to measure, and how.

    Attributes:
        files: model files to measure.
        references: foreign model files to measure beside them.
        delegates: names of delegates; empty: all that this machine has.
        threads: numbers of CPU threads.
        batches: numbers of images per call of the peers.
        untrained: names of networks to time with random weights.
        only: the only pass to run; None: both.
        data: CIFAR-10's archive; None: its usual place.
        seconds: approximate time per network in the latency pass.
        with_peers: whether other runtimes are timed too.
        out: folder of the results.
        say: prints a line of progress.
    """

    files: Sequence[Path]
    references: Sequence[Path]
    delegates: Sequence[str]
    threads: Sequence[int]
    batches: Sequence[int]
    untrained: Sequence[str]
    only: Pass | None
    data: Path | None
    seconds: float
    with_peers: bool
    out: Path
    say: Callable[[str], None]


def measure_all(request: Request, results: Results) -> bool:
    """Run the passes, add their figures to `results`, and return whether everything was measured.

    Raises:
        KeyboardInterrupt: the user interrupted a pass; what was measured before is kept.
        OSError: a file cannot be read or written.
    """
    found = _find(request)
    contenders = [c for c in found if isinstance(c, Contender)]
    results.forget(latency_pass.machine() if request.only is not Pass.ACCURACY else None)
    for missing in (m for m in found if isinstance(m, Missing)):
        row = results.row(missing.subject)
        row.reasons = dict.fromkeys(("accuracy", "latency"), missing.reason)
    if request.only is not Pass.LATENCY:
        _accuracy(contenders, results, request)
    if request.only is not Pass.ACCURACY:
        _latency(contenders, results, request)
    asked_for = {f.subject for f in found if f.subject.runtime == stored.OURS}
    asked_for -= {s for s in asked_for if s.network == "any" or not s.trained}
    passes = {request.only} if request.only else set(Pass)
    return not any(passes & results.rows[subject.name].reasons.keys() for subject in asked_for)


def _find(request: Request) -> list[Contender | Missing]:
    found: list[Contender | Missing] = []
    if request.files:
        found += contenders_of(request.files, request.delegates, request.threads)
    images = cache(partial(_test_images, request.data))
    found += pairs_of(request.files, request.delegates or ["xnnpack"], request.threads, images)
    for path in request.references:
        found += contenders_of([path], request.delegates or ["xnnpack"], request.threads)
    found = list(with_unique_names(found))
    of_peers: list[ConvertibleNetwork] = []
    for network in list(networks.trained(found)) if request.with_peers else []:
        if isinstance(network, ConvertibleNetwork):
            of_peers.append(network)
        else:
            found.append(network)
    for name in request.untrained:
        network = networks.untrained(name, request.out / "untrained")
        found += contenders_of(
            network.files.values(),
            request.delegates or ["xnnpack"],
            request.threads,
            network=name,
            trained=False,
        )
        of_peers += [network] if request.with_peers else []
    for network in of_peers:
        request.say(f"peers of {network.name}: converting the files that are missing")
        folder = request.out / "peers"
        found += peers.contenders(network, folder, request.threads, request.batches)
    return found


def _test_images(data: Path | None) -> Iterator[NDArray[np.uint8]]:
    """Return CIFAR-10's test images over and over again.

    Raises:
        RuntimeError: the data set is missing or damaged.
    """
    try:
        return cycle(cifar10.load(data).test.images)
    except DataError as exc:
        raise RuntimeError(str(exc)) from exc


def _accuracy(contenders: Sequence[Contender], results: Results, request: Request) -> None:
    """Run the accuracy pass; if the test images are missing, put the reason into every row."""
    try:
        loaded = cifar10.load(request.data)
    except DataError as exc:
        request.say(f"accuracy is missing: {exc}")
        for contender in contenders:
            row = results.row(
                contender.subject, size_bytes=contender.size_bytes, sha256=contender.sha256
            )
            if row.accuracy is None:
                row.reasons["accuracy"] = str(exc)
        return
    with _recorded(stored.ACCURACY, results, request.out):
        accuracy_pass.run(contenders, results, loaded.test, loaded.class_names, say=request.say)


def _latency(contenders: Sequence[Contender], results: Results, request: Request) -> None:
    """Time each network by itself, foreign files with the first of ours, and the peak."""
    of_network: dict[tuple[str, bool], list[Contender]] = {}
    ours = [c.subject.network for c in contenders if c.subject.network in CIFAR10_NETWORKS]
    for contender in contenders:
        network = contender.subject.network
        network = network if network in CIFAR10_NETWORKS or not ours else ours[0]
        of_network.setdefault((network, contender.subject.trained), []).append(contender)
    try:
        loops = peak.loops()
    except peak.UnknownPeakError as exc:
        request.say(f"the share of the peak is missing: {exc}")
        loops = []
    for (network, _), group in of_network.items():
        with _recorded(stored.LATENCY + network, results, request.out):
            latency_pass.run(group, loops, results, seconds=request.seconds, say=request.say)
        cross_check(group, results, seconds=min(2.0, request.seconds / 20))


@contextmanager
def _recorded(name: str, results: Results, out: Path) -> Iterator[None]:
    """Record the machine of a pass, what disturbed it, and whether it was completed.

    The results are written at the end of the pass, so that no later failure loses them.
    """
    watch = Watch()
    complete = False
    try:
        yield
        complete = True
    finally:
        conditions = watch.stop()
        results.passes[name] = {
            "complete": complete,
            "machine": latency_pass.machine(),
            "environment": read_environment().lines(),
            "conditions": conditions.record(),
            # Other programs change times, but no predictions.
            "disturbed": conditions.disturbed if name != stored.ACCURACY else None,
            "sentence": conditions.sentence if name != stored.ACCURACY else "",
        }
        results.write(out / "results.json")
