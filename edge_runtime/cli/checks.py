"""Checks of single options of `edge-classify`; each raises Typer's usage error."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edge_runtime.errors import DelegateError, ModelError, OutputError
from edge_runtime.support.labels import composed

if TYPE_CHECKING:
    from edge_runtime.jobs.job import Job


def given(context: typer.Context, option: str) -> bool:
    """Return whether the command line has an option, even if its value is the default."""
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Reject a value that is not one of the choices."""
    if value not in choices:
        raise typer.BadParameter(f"expected {option} {', '.join(choices)}, but got {value}.")


def check_model(option: str, model: str) -> None:
    """Reject a model that does not exist."""
    from edge_runtime.inference import shipped

    try:
        shipped.find(model)
    except ModelError as exc:
        raise typer.BadParameter(f"{option}: {exc}") from exc


def check_delegate(delegate: str) -> None:
    """Reject a delegate that exists nowhere. One that is merely not available here may pass."""
    from edge_runtime.inference.placement import require_delegate

    try:
        require_delegate(delegate)
    except DelegateError as exc:
        raise typer.BadParameter(str(exc)) from exc


def check_out(
    job: Job, sources: list[str], models: Sequence[str], delegate: str, labels: Path | None
) -> None:
    """Reject an output that would replace an input, or another file without being asked to."""
    if job.out is None:
        return
    from edge_runtime.output.file import BESIDE
    from edge_runtime.output.formats import RESUMABLE
    from edge_runtime.support.outputs import output_file

    try:
        output_file(
            job.out,
            inputs=_inputs(sources, models, delegate, labels),
            beside=BESIDE,
            overwrite=job.overwrite,
            resume=job.resume,
            resumable=job.format in RESUMABLE,
        )
    except OutputError as exc:
        raise typer.BadParameter(str(exc)) from exc


def _inputs(
    sources: list[str], models: Sequence[str], delegate: str, labels: Path | None
) -> Iterator[str | Path | int]:
    """Yield the files that the command reads, as far as they are known before it starts."""
    from edge_runtime.inference import shipped
    from edge_runtime.inference.sidecar import sidecar
    from edge_runtime.inputs.listing import expand
    from edge_runtime.inputs.names import STANDARD_INPUT
    from edge_runtime.inputs.urls import is_url

    for model in models:
        try:
            path = shipped.find(model)
        except ModelError:
            path = Path(model)
        yield from (path, sidecar(path))
    yield delegate  # may be the path of a library
    if labels is not None:
        yield labels
    for name in sources:
        if name == STANDARD_INPUT:
            if sys.stdin is not None:
                yield sys.stdin.fileno()
        elif not is_url(name):
            yield name  # a video too, which is no image
            yield from (source.name for source in expand([name]))


def numbers(option: str, text: str | None) -> list[float] | None:
    """Return the numbers that an option's value lists; None stands for no value."""
    if text is None:
        return None
    try:
        return [float(number) for number in text.split(",")]
    except ValueError as exc:
        raise typer.BadParameter(
            f"expected {option} to be one number, or numbers separated by commas, but got {text}."
        ) from exc


def error_limits(texts: list[str] | None, accept_all: bool) -> float | dict[str, float] | None:
    """Return what --max-error says as fractions: for all classes, or by the class's name."""
    if not texts:
        return None
    if accept_all:
        raise typer.BadParameter("expected --accept-all or --max-error, but got both.")
    limits = {}
    for text in texts:
        name, _, number = text.rpartition("=")
        name = composed(name)
        try:
            limit = float(number.removesuffix("%")) / 100
        except ValueError:
            limit = math.nan
        if not 0 < limit < 1:
            raise typer.BadParameter(
                f"expected --max-error to be a percentage above 0 and below 100, such as 1%, or "
                f"CLASS=1%, but got {text}."
            )
        if name in limits:  # the last one, which may be the laxer, would hold
            raise typer.BadParameter(
                f"expected one --max-error for {name or 'all classes'}, but got several."
            )
        limits[name] = limit
    return limits[""] if list(limits) == [""] else limits


def label_names(path: Path | None) -> list[str] | None:
    """Return the labels in a file, one a line; None stands for no file."""
    if path is None:
        return None
    from edge_runtime.inference.metadata import label_lines

    try:
        names = list(label_lines(path.read_bytes()))
    except OSError as exc:
        raise typer.BadParameter(f"--labels {path} cannot be read ({exc.strerror}).") from exc
    except ValueError as exc:
        raise typer.BadParameter(f"--labels {path} is not UTF-8; save it as that.") from exc
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise typer.BadParameter(
                f"--labels {path}: line {number} is empty; write a class's name there."
            )
    return names
