"""The command `python -m benchmarks`: accuracy against latency, ours and peers', in one report."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from train.startup import start

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the roofline is one core's
start("export")

from benchmarks import accuracy_pass, latency_pass, networks, peers, report, roofline
from benchmarks import results as stored
from benchmarks.contenders import Contender, Missing, model_files, of_files, told_apart
from benchmarks.peers import Network
from benchmarks.results import Results
from edge_runtime.benchmark.disturbance import Watch
from edge_runtime.benchmark.environment import read_environment
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.support.options import finite
from train import cifar10
from train.architectures import NETWORKS
from train.dataset import DataError


class Pass(StrEnum):
    """What can be measured by itself."""

    ACCURACY = "accuracy"
    LATENCY = "latency"


def main(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Shipped names or .tflite files.",
            show_default="all shipped ones, and exports/*.tflite",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="CIFAR-10's binary archive, see `python -m train cnn`.")
    ] = None,
    reference: Annotated[
        list[Path] | None, typer.Option(help="Any other CIFAR-10 .tflite file; repeatable.")
    ] = None,
    delegate: Annotated[
        list[str] | None, typer.Option(help="Repeatable.", show_default="all that are available")
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, help="CPU threads; repeatable.", show_default="1")
    ] = None,
    batch: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Images a call of the peers; repeatable.", show_default="1"),
    ] = None,
    untrained: Annotated[
        list[str] | None,
        typer.Option(
            help="Time a network with random weights, by itself if no MODEL is named: "
            f"{', '.join(NETWORKS)}; repeatable."
        ),
    ] = None,
    only: Annotated[
        Pass | None, typer.Option(help="One pass; the other's figures in --out stay.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, callback=finite, help="To time each network for, about.")
    ] = 60.0,
    with_peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="Time other runtimes too.")
    ] = True,
    out: Annotated[Path, typer.Option(help="Folder of the report.")] = Path("runs/benchmark"),
) -> None:
    """Measure accuracy and latency, and write a report in HTML, PNG, Markdown and JSON."""
    for name in untrained or []:
        if name not in NETWORKS:
            raise typer.BadParameter(
                f"expected one of {', '.join(NETWORKS)}, but got {name}.", param_hint="--untrained"
            )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        results = stored.read(out / "results.json")
        files = model_files(models or []) if models or not untrained else []
        references = [shipped.find(path) for path in reference or []]
        results.write(out / "results.json")  # for the measuring takes long
    except OSError as exc:
        typer.echo(f"benchmarks: {_unwritable(out, exc)}", err=True)
        raise typer.Exit(2) from None
    except (EdgeRuntimeError, ValueError) as exc:
        typer.echo(f"benchmarks: {exc}", err=True)
        raise typer.Exit(2) from None
    counts, batches = threads or [1], batch or [1]
    code = 0
    try:
        found = list(of_files(files, delegate or [], counts)) if files else []
        for path in references:
            found += of_files([path], delegate or ["xnnpack"], counts)
        found = list(told_apart(found))
        of_peers: list[Network] = []
        for network in list(networks.trained(found)) if with_peers else []:
            if isinstance(network, Network):
                of_peers.append(network)
            else:
                found.append(network)
        for name in untrained or []:
            network = networks.untrained(name, out / "untrained")
            own = network.files.values()
            found += of_files(own, delegate or ["xnnpack"], counts, network=name, trained=False)
            of_peers += [network] if with_peers else []
        for network in of_peers:
            _say(f"peers of {network.name}: converting what is not there yet")
            found += peers.contenders(network, out / "peers", counts, batches)
        contenders = [c for c in found if isinstance(c, Contender)]
        results.forget(latency_pass.machine() if only is not Pass.ACCURACY else None)
        for missing in (m for m in found if isinstance(m, Missing)):
            row = results.row(missing.subject)
            row.reasons = dict.fromkeys(("accuracy", "latency"), missing.reason)
        if only is not Pass.LATENCY:
            _accuracy(contenders, results, data, out)
        if only is not Pass.ACCURACY:
            rivals = peers.PEERS if with_peers else ("litert",)
            _latency(contenders, results, seconds, out, rivals)
    except KeyboardInterrupt:
        _say("stopped; what was measured until then is kept")
        code = 130
    except OSError as exc:
        _say(str(exc))
        code = 1
    if code == 0:
        asked_for = {f.subject for f in found if f.subject.runtime == stored.OURS}
        asked_for -= {s for s in asked_for if s.network == "any" or not s.trained}
        passes = {only} if only else set(Pass)
        code = int(any(passes & results.rows[subject.name].reasons.keys() for subject in asked_for))
    try:
        results.write(out / "results.json")
        for path in report.write(results, out):
            typer.echo(path)
    except OSError as exc:
        _say(_unwritable(out, exc))
        code = 1
    raise typer.Exit(code)


def _accuracy(
    contenders: Sequence[Contender], results: Results, data: Path | None, out: Path
) -> None:
    """Run the accuracy pass, or say in every row why there is none."""
    try:
        loaded = cifar10.load(data)
    except DataError as exc:
        _say(f"accuracy is missing: {exc}")
        for contender in contenders:
            row = results.row(
                contender.subject, size_bytes=contender.size_bytes, sha256=contender.sha256
            )
            if row.accuracy is None:
                row.reasons["accuracy"] = str(exc)
        return
    with _recorded(stored.ACCURACY, results, out):
        accuracy_pass.run(contenders, results, loaded.test, loaded.class_names, say=_say)


def _latency(
    contenders: Sequence[Contender],
    results: Results,
    seconds: float,
    out: Path,
    rivals: Iterable[str],
) -> None:
    """Measure each network by itself, foreign files with the first of ours, and the roofline."""
    of_network: dict[tuple[str, bool], list[Contender]] = {}
    ours = [c.subject.network for c in contenders if c.subject.network in NETWORKS]
    for contender in contenders:
        network = contender.subject.network
        network = network if network in NETWORKS or not ours else ours[0]
        of_network.setdefault((network, contender.subject.trained), []).append(contender)
    folder = out / "peers"
    probe = roofline.probe_files(folder / "probe")
    on_peers = peers.contenders(probe, folder, names=rivals)
    probes = roofline.probes((c for c in on_peers if isinstance(c, Contender)), probe)
    for (network, _), group in of_network.items():
        with _recorded(stored.LATENCY + network, results, out):
            latency_pass.run(group, probes, results, seconds=seconds, say=_say)
        latency_pass.cross_check(group, results, seconds=min(2.0, seconds / 20))


def _unwritable(out: Path, exc: OSError) -> str:
    return f"{out} cannot be written to ({exc.strerror}); name another folder with --out."


@contextmanager
def _recorded(name: str, results: Results, out: Path) -> Iterator[None]:
    """Record on what machine a pass ran, what else ran there, and whether it came to its end.

    What it measured is written then, whatever may come after it.
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
            # Other programs change times, never answers.
            "disturbed": conditions.disturbed if name != stored.ACCURACY else None,
            "sentence": conditions.sentence if name != stored.ACCURACY else "",
        }
        results.write(out / "results.json")


def _say(line: str) -> None:
    typer.echo(f"benchmarks: {line}", err=True)


if __name__ == "__main__":
    typer.run(main)
