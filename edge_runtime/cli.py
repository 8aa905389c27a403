"""The command `edge-classify`.

Results go to stdout and everything else to stderr. Exit codes: 0 all classified, 1 some input
failed, 2 wrong usage. What is not needed for `--help` is imported when it is needed.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from edge_runtime.errors import EdgeRuntimeError, ImageError, ModelError
from edge_runtime.shipped import DEFAULT_MODEL

if TYPE_CHECKING:
    from edge_runtime.classifier import Classifier, Prediction

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def main() -> NoReturn:
    """Run the command; the entry point of the console script."""
    # Its thread pool costs 30 to 50 ms at start, and numpy does no linear algebra here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # until the model is loaded: imports allocate much and leave no garbage
    try:
        try:
            app()
        except SystemExit as exc:  # how every run of the application ends
            code = int(exc.code or 0)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as exc:  # a full disk, say; inputs that cannot be read never end up here
        code = 1
        with suppress(OSError):
            print(
                f"edge-classify: the results could not be written ({exc.strerror}).",
                file=sys.stderr,
            )
    # All is written, and taking the interpreter and the model down piece by piece would cost as
    # much again as a tenth of the run.
    os._exit(code)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"edge-classify {version('edge-classify')}")
        raise typer.Exit


@app.command()
def classify(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Image files, or directories of them."),
    ],
    model: Annotated[
        str, typer.Option(help="A .tflite file, or the name of a shipped model.")
    ] = DEFAULT_MODEL,
    top_k: Annotated[int, typer.Option(min=1, help="How many classes to show for an image.")] = 1,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line for each image.")
    ] = False,
    info: Annotated[
        bool, typer.Option("--info", help="Say what the model files named as SOURCE are.")
    ] = False,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Say what is in images, with a quantized network, on this device's CPU."""
    for stream in (sys.stdout, sys.stderr):  # a file name may be no valid UTF-8
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if info:
        raise typer.Exit(_show_info(sources, as_json))
    from edge_runtime.classifier import Classifier

    show = _show_json if as_json else _show_text
    try:
        classifier = Classifier(model)
    except ModelError as exc:
        _complain(exc)
        for source in sources:
            show(source, exc)
        raise typer.Exit(1) from exc
    gc.enable()
    failed = False
    for source, result in _results(classifier, sources, top_k):
        if isinstance(result, EdgeRuntimeError):
            failed = True
            _complain(result)
        show(source, result)
    raise typer.Exit(1 if failed else 0)


def _show_info(models: list[str], as_json: bool) -> int:
    """Print what model files say about themselves, and return the exit code."""
    from edge_runtime.info import info

    failed = False
    for model in models:
        try:
            print(info(model, as_json=as_json), flush=True)
        except ModelError as exc:
            failed = True
            _complain(exc)
            if as_json:
                _show_json(model, exc)
    return int(failed)


def _results(
    classifier: Classifier, sources: list[str], top_k: int
) -> Iterator[tuple[str, list[Prediction] | EdgeRuntimeError]]:
    """Yield every image with its predictions, or with the reason why there are none."""
    for source in sources:
        try:
            images = _images(source)
        except ImageError as exc:
            yield source, exc
            continue
        for image in images:
            try:
                yield image, classifier.classify(image, top_k=top_k)
            except EdgeRuntimeError as exc:
                yield image, exc


def _images(source: str) -> list[str]:
    """Return the image files in a directory and below it, sorted, or `source` itself."""
    if not source:
        raise ImageError("Expected the name of a file or directory, but got an empty one.")
    if not os.path.isdir(source):  # noqa: PTH112 - unlike Path.is_dir, it never raises
        return [source]
    from edge_runtime.image import SUFFIXES

    found = sorted(
        str(p) for p in Path(source).rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()
    )
    if not found:
        raise ImageError(
            f"{source} is a directory without images; expected {', '.join(sorted(SUFFIXES))}."
        )
    return found


def _complain(error: EdgeRuntimeError) -> None:
    print(f"edge-classify: {_one_line(str(error))}", file=sys.stderr)


def _one_line(text: str) -> str:
    """Escape line breaks and control characters, which a file name may hold."""
    return "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else ascii(c)[1:-1] for c in text
    )


def _show_text(source: str, result: list[Prediction] | EdgeRuntimeError) -> None:
    if not isinstance(result, EdgeRuntimeError):
        classes = ", ".join(f"{p.label} {p.score:.3f}" for p in result)
        print(f"{_one_line(source)}: {classes}", flush=True)


def _show_json(source: str, result: list[Prediction] | EdgeRuntimeError) -> None:
    line: dict[str, object] = {"source": source}
    if isinstance(result, EdgeRuntimeError):
        line["error"] = str(result)
    else:
        line["predictions"] = [
            {"label": p.label, "index": p.index, "score": p.score} for p in result
        ]
    print(json.dumps(line), flush=True)
