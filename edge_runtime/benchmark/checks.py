"""Checks of the options of `edge-benchmark` before anything is measured.

Each check raises Typer's usage error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import typer

from edge_runtime.benchmark.pipeline import Setting
from edge_runtime.benchmark.publish import Previous
from edge_runtime.benchmark.record import RecordError, read
from edge_runtime.benchmark.regression import require_comparable
from edge_runtime.errors import DelegateError, ModelError, OutputError
from edge_runtime.inference import shipped
from edge_runtime.inference.placement import require_delegate
from edge_runtime.inputs.listing import expand
from edge_runtime.inputs.names import STANDARD_INPUT
from edge_runtime.support.environment import read_environment
from edge_runtime.support.outputs import output_file

_TUNING = {"models", "--tune", "--images", "--calls", "--json"}


def check_names(models: Sequence[str], delegates: Sequence[str]) -> None:
    """Reject models and delegates that do not exist."""
    try:
        for model in models:
            shipped.find(model)
        for delegate in delegates:
            require_delegate(delegate)
    except (DelegateError, ModelError) as exc:
        raise typer.BadParameter(str(exc)) from exc


def check_tune(context: typer.Context, tune: bool, forget: bool) -> None:
    """Reject options that `--tune` and `--forget` do not take."""
    given = {
        option.opts[0]
        for option in context.command.params
        if option.name
        and (source := context.get_parameter_source(option.name))
        and source.name == "COMMANDLINE"
    }
    if forget and not tune:
        raise typer.BadParameter("--forget needs --tune, which it undoes.")
    allowed = {"models", "--tune", "--forget"} if forget else _TUNING
    others = sorted(given - allowed)
    if tune and others:
        raise typer.BadParameter(
            f"--tune {'--forget ' * forget}takes no {', '.join(others)}; omit it."
        )


def check_out(out: Path, inputs: Iterable[str | Path | int], *, overwrite: bool) -> Path:
    """Return the file that `--out` names after a check that it may be written."""
    try:
        return output_file(out, inputs=inputs, overwrite=overwrite, trial=True)
    except OutputError as exc:
        raise typer.BadParameter(str(exc)) from exc


def comparable(path: Path, tolerance: float, settings: Sequence[Setting]) -> Previous:
    """Return the record of `--compare` after a check that it can be compared with."""
    try:
        record = read(path)
        require_comparable(record, read_environment().record(), settings)
    except RecordError as exc:
        raise typer.BadParameter(f"--compare {path}: {exc}") from exc
    return Previous(path, record, tolerance)


def known_inputs(
    models: Sequence[str], delegates: Sequence[str], images: Sequence[str], compare: Path | None
) -> Iterator[str | Path | int]:
    """Yield the files that the command reads, without those that standard input names."""
    yield from map(shipped.find, models)
    yield from delegates  # may be paths of libraries
    if compare is not None:
        yield compare
    for name in images:
        if name != STANDARD_INPUT:
            yield from (source.name for source in expand([name]))
        elif sys.stdin is not None:
            yield sys.stdin.fileno()
    yield from shipped.samples().values()
