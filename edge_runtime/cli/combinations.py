"""Checks of options of `edge-classify` that exclude or need each other.

Each raises Typer's usage error.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import typer

from edge_runtime.cli.checks import check_model
from edge_runtime.output.formats import RESUMABLE, Format

if TYPE_CHECKING:
    from edge_runtime.jobs.job import Job


def check_sources(
    sources: list[str], model: str, *, info: bool, check: bool, model_given: bool
) -> None:
    """Reject a command line without sources, or with --model where models are the sources."""
    if (info and not sources) or ((info or check) and model_given):
        option = "--info" if info else "--check"
        raise typer.BadParameter(
            f"{option} takes the models as SOURCE: edge-classify {option} {shlex.quote(model)}."
        )
    if not (sources or check):
        raise typer.BadParameter("expected at least one SOURCE; see edge-classify --help.")


def output_format(*, as_json: bool, as_csv: bool, ray: bool) -> Format:
    """Return the format that --json, --csv and --ray stand for, and reject two formats."""
    if as_json and as_csv:
        raise typer.BadParameter("expected --json or --csv, but got both.")
    return "json" if as_json else "csv" if as_csv else "parquet" if ray else "text"


def check_second_opinion(model: str | None, unsure_below: float | None) -> None:
    """Reject a --second-opinion that does not exist, and --unsure-below without one."""
    if model is not None:
        check_model("--second-opinion", model)
    elif unsure_below is not None:
        raise typer.BadParameter("--unsure-below needs --second-opinion.")


def check_output(job: Job, *, save: bool) -> None:
    """Reject --out, --resume and --overwrite if they do not fit together."""
    if job.out == "":
        raise typer.BadParameter("expected --out to be a name, but got an empty one.")
    if job.resume and not (job.out and job.format in RESUMABLE):
        raise typer.BadParameter("--resume needs --out, and --json, --csv or --ray.")
    if job.overwrite and (job.resume or not (job.out or save)):
        raise typer.BadParameter("--overwrite needs --out or --save, and no --resume.")


def check_questions(
    sources: list[str],
    job: Job,
    *,
    info: bool,
    check: bool,
    judge: bool,
    save: bool,
    second_opinion: str | None,
) -> None:
    """Reject what --info, --check and --judge do not take, and --save without --judge."""
    for option, asked, allowed in (
        ("--info", info, "prints text or, with --json, JSON"),
        ("--check", check, "takes models as SOURCE, --delegate and --json"),
        ("--judge", judge, "takes one folder, and prints text or, with --json, JSON"),
    ):
        others = job.format == "csv" or job.out or job.ray or info + check + judge > 1
        others = others or (second_opinion is not None and not judge)
        if asked and (others or (judge and len(sources) != 1)):
            raise typer.BadParameter(f"{option} {allowed}; omit --csv, --out, --ray and the like.")
    if save and not judge:
        raise typer.BadParameter("--save needs --judge.")
    if save and second_opinion is not None:
        raise typer.BadParameter(
            "--save keeps the thresholds of one model; omit --second-opinion, or --save."
        )


def check_for_ray(job: Job, sources: list[str], delegate: str) -> None:
    """Reject options and sources that a cluster does not take."""
    from edge_runtime.inference.placement import CPU_DELEGATES
    from edge_runtime.inputs.names import STANDARD_INPUT, is_stream
    from edge_runtime.inputs.urls import shown

    out = job.out
    is_json = job.format == "json"
    if job.format == "csv" or not out or is_json == out.rstrip("/").endswith(".parquet"):
        raise typer.BadParameter(
            "--ray writes a folder: Parquet with --out NAME.parquet, or JSON lines with --json "
            "--out NAME."
        )
    if delegate not in CPU_DELEGATES:
        raise typer.BadParameter(
            f"--ray runs one model a core; expected --delegate xnnpack or cpu, but got {delegate}."
        )
    if job.max_frames is not None or job.duration_s is not None or job.every != 1:
        raise typer.BadParameter("--ray takes no --max-frames, --duration or --every; omit them.")
    for source in sources:
        if source == STANDARD_INPUT or is_stream(source):
            raise typer.BadParameter(
                f"--ray takes images, directories, globs and URLs, but got {shown(source)}; "
                f"omit --ray."
            )
