"""The options of `edge-classify`, read by Typer.

Whatever `--help` does not need is imported later.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.cli import classify as work
from edge_runtime.cli.about_models import (
    check_models,
    describe_models,
    judge_model,
    list_delegates,
)
from edge_runtime.cli.checks import (
    check_choice,
    check_delegate,
    check_model,
    check_out,
    error_limits,
    given,
    label_names,
    numbers,
)
from edge_runtime.cli.combinations import (
    check_for_ray,
    check_output,
    check_questions,
    check_second_opinion,
    check_sources,
    output_format,
)
from edge_runtime.inference.placement import DELEGATE_CHOICES, SCORES
from edge_runtime.inference.shipped import DEFAULT_MODEL
from edge_runtime.inference.views import MOST as MOST_VIEWS
from edge_runtime.support.options import finite, make_app, version_printer

app = make_app()


@app.command()
def classify(
    context: typer.Context,
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="Images, directories, globs, http(s) URLs, or - for standard input; camera:0, "
            "video files, rtsp:// and http:// streams.",
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Use this .tflite file, or the shipped model of this name.")
    ] = DEFAULT_MODEL,
    delegate: Annotated[
        str,
        typer.Option(
            help=f"Run the model on {DELEGATE_CHOICES}, or the delegate library at this path."
        ),
    ] = "xnnpack",
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1024,
            help="Use this many CPU threads. Default: all cores for many images, otherwise 1.",
        ),
    ] = None,
    gpu_precision: Annotated[
        str, typer.Option(help="Let the GPU compute in fp32 or fp16.")
    ] = "fp32",
    labels: Annotated[
        Path | None, typer.Option(help="Read the classes' names from this file, one a line.")
    ] = None,
    mean: Annotated[
        str | None,
        typer.Option(help="Subtract this from each pixel (0-255): one number, or R,G,B."),
    ] = None,
    std: Annotated[
        str | None,
        typer.Option(help="Divide each pixel by this after --mean: one number, or R,G,B."),
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            help="Fit images of another shape by crop, stretch or pad. Default: as the model says."
        ),
    ] = None,
    scores: Annotated[
        str,
        typer.Option(
            help="Apply a softmax to the model's output, or none because it gives scores; auto "
            "decides by what comes out."
        ),
    ] = "auto",
    views: Annotated[
        int,
        typer.Option(
            min=1,
            max=MOST_VIEWS,
            help="Average the scores of this many views of a large image: parts, the stretched "
            "whole, mirrors.",
        ),
    ] = 1,
    accept_all: Annotated[
        bool,
        typer.Option(
            "--accept-all", help="Name a class for every image, whatever the model's threshold."
        ),
    ] = False,
    max_error: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PERCENT|CLASS=PERCENT",
            help="Accept only scores of which at most this share is wrong: 1%, or for one class "
            "cat=2%. Repeatable.",
        ),
    ] = None,
    second_opinion: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Ask this model too if --model is unsure; the mean of both scores decides.",
        ),
    ] = None,
    unsure_below: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            callback=finite,
            help="Ask --second-opinion if the best score is below this. Default: as --model says.",
        ),
    ] = None,
    top_k: Annotated[int, typer.Option(min=1, help="List this many classes for an image.")] = 1,
    threshold: Annotated[
        float,
        typer.Option(min=0, max=1, callback=finite, help="Hide classes that score below this."),
    ] = 0.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line for each image.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, one row for a class.")] = False,
    out: Annotated[
        str | None,
        typer.Option(help="Write the results to this file, which appears when all is done."),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Keep the results that --out has, and classify the other images; needs --json, "
            "--csv or --ray.",
        ),
    ] = False,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace the file that --out names if it exists."),
    ] = False,
    max_frames: Annotated[
        int | None,
        typer.Option(min=1, help="Stop a camera or video after this many results."),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option(
            min=0, callback=finite, help="Stop a camera or video after this many seconds."
        ),
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Classify every Nth frame of a camera or video.")
    ] = 1,
    ray: Annotated[
        bool,
        typer.Option(
            "--ray", help="Work on the Ray cluster that RAY_ADDRESS names, or on a local one."
        ),
    ] = False,
    info: Annotated[
        bool,
        typer.Option(
            "--info",
            help="Describe the model files named as SOURCE; with --delegate, also what would run "
            "them.",
        ),
    ] = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Check that the models named as SOURCE, or all shipped ones, are right here.",
        ),
    ] = False,
    judge: Annotated[
        bool,
        typer.Option(
            "--judge",
            help="Measure how often the model is right on the images of SOURCE/CLASS/.",
        ),
    ] = False,
    save: Annotated[
        bool,
        typer.Option(
            "--save",
            help="Write the thresholds that --judge finds beside the model, which then has them.",
        ),
    ] = False,
    _delegates: Annotated[
        bool,
        typer.Option(
            "--delegates",
            callback=list_delegates,
            is_eager=True,
            help="List which delegates can run a model here, and why the others cannot.",
        ),
    ] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=version_printer("edge-classify"),
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Classify images, videos and cameras with a quantized network, on this device."""
    sources = sources or []
    check_sources(sources, model, info=info, check=check, model_given=given(context, "model"))
    format = output_format(as_json=as_json, as_csv=as_csv, ray=ray)
    if fit is not None:
        from edge_runtime.inputs.resize import FITS

        check_choice("--fit", fit, FITS)
    check_choice("--scores", scores, SCORES)
    check_choice("--gpu-precision", gpu_precision, ("fp32", "fp16"))
    check_delegate(delegate)
    check_model("--model", model)
    check_second_opinion(second_opinion, unsure_below)
    means, stds = numbers("--mean", mean), numbers("--std", std)
    names, error = label_names(labels), error_limits(max_error, accept_all)
    from edge_runtime.jobs.job import Job

    job = Job(
        format=format,
        out=out,
        resume=resume,
        overwrite=overwrite,
        top_k=top_k,
        threshold=threshold,
        max_frames=max_frames,
        duration_s=duration,
        every=every,
        ray=ray,
    )
    check_output(job, save=save)
    check_questions(
        sources, job, info=info, check=check, judge=judge, save=save, second_opinion=second_opinion
    )
    named = [delegate] if given(context, "delegate") else []
    if check:
        raise typer.Exit(check_models(sources, named, as_json=as_json))
    if info:
        asked_of = named[0] if named else None
        raise typer.Exit(describe_models(sources, as_json, asked_of, threads, gpu_precision))
    if ray:
        check_for_ray(job, sources, delegate)
    else:
        models = [model] if second_opinion is None else [model, second_opinion]
        check_out(job, sources, models, delegate, labels)
    code = work.classify(
        sources,
        job,
        model=model,
        delegate=delegate,
        threads=threads,
        gpu_precision=gpu_precision,
        labels=names,
        mean=means,
        std=stds,
        fit=fit,
        scores=scores,
        views=views,
        accept_all=accept_all,
        max_error=error,
        second_opinion=second_opinion,
        unsure_below=unsure_below,
        instead=partial(
            judge_model, folder=Path(sources[0]), as_json=as_json, save=save, overwrite=overwrite
        )
        if judge
        else None,
    )
    raise typer.Exit(code)
