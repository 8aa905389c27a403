"""What `edge-classify` does with models instead of images: describe, check and judge them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from edge_runtime.errors import EdgeRuntimeError, ModelError, OutputError
from edge_runtime.support.console import complain

if TYPE_CHECKING:
    from edge_runtime.inference.model import Model


def list_delegates(wanted: bool) -> None:
    """Print which delegates work here; the callback of --delegates."""
    if wanted:
        from edge_runtime.inference.delegates import available_delegates

        for delegate, available, reason in available_delegates():
            typer.echo(f"{delegate}: {'available' if available else reason}")
        raise typer.Exit


def describe_models(
    models: list[str], as_json: bool, delegate: str | None, threads: int | None, gpu_precision: str
) -> int:
    """Print what model files say about themselves, and return the exit code."""
    from edge_runtime.inference.description import describe
    from edge_runtime.output.formats import formatter
    from edge_runtime.results import Result

    failed = False
    for model in models:
        try:
            text = describe(
                model,
                as_json=as_json,
                delegate=delegate,
                threads=threads,
                gpu_precision=gpu_precision,
            )
            print(text, flush=True)
        except EdgeRuntimeError as exc:
            failed = True
            complain(str(exc))
            if as_json:
                print(formatter("json")(model, Result(error=exc)), end="", flush=True)
    return int(failed)


def check_models(models: list[str], delegates: list[str], *, as_json: bool) -> int:
    """Print whether models compute here what they should, and return the exit code.

    Args:
        models: as for `edge_runtime.inference.check.check`, like `delegates`.
        delegates: those that the user named must be available.
        as_json: print JSON.
    """
    from edge_runtime.inference.check import check
    from edge_runtime.support.environment import read_environment

    environment = read_environment()
    verdicts, failed = [], False
    for each in [[model] for model in models] or [[]]:
        try:
            verdicts += check(each, delegates)
        except EdgeRuntimeError as exc:  # the others may be right
            complain(str(exc))
            failed = True
    if not verdicts:
        return 1
    if as_json:
        found = [verdict._asdict() for verdict in verdicts]
        print(json.dumps({"environment": environment.record(), "verdicts": found}), flush=True)
    else:
        print(*environment.lines(), *verdicts, sep="\n", flush=True)
    good = all(v.right or (v.right is None and not delegates) for v in verdicts)
    return 0 if good and not failed else 1


def judge_model(model: Model, folder: Path, *, as_json: bool, save: bool, overwrite: bool) -> int:
    """Print how good a model is on a folder of images, and return the exit code.

    Args:
        model: the model.
        folder: holds a folder of images for each class.
        as_json: print JSON.
        save: write the thresholds beside the model.
        overwrite: replace those that are there.
    """
    from edge_runtime.inference.acceptance import phrase
    from edge_runtime.inference.loading import require_unchanged
    from edge_runtime.inference.sidecar import require_sidecar, write_sidecar
    from edge_runtime.jobs.judge import judge

    try:
        if save:  # before the work
            require_sidecar(model.path, overwrite=overwrite)
        judgement = judge(model, folder)
    except OutputError as exc:
        complain(str(exc))
        return 2
    except EdgeRuntimeError as exc:
        complain(str(exc))
        return 1
    for sentence in judgement.failed:
        complain(sentence)
    if judgement.left_out:
        complain(judgement.left_out)
    print(json.dumps(judgement.record()) if as_json else judgement.text(), flush=True)
    if save:
        try:
            require_unchanged(model.path, model.stamp)
        except ModelError as exc:
            complain(str(exc))
            return 1
        written = write_sidecar(model.path, judgement.acceptance, overwrite=overwrite)
        now = phrase(judgement.acceptance)
        complain(f"the thresholds are in {written}. From now on, {model.path} {now}.")
    return int(bool(judgement.failed))
