"""The command `python -m benchmarks.views`: what more views of an image gain and cost.

Exit codes: 0 everything was measured; 1 a model, an image or the data set failed; 2 the command
line cannot be meant, or the output is refused; 130 interrupted.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.contenders import image_side, open_classifier
from benchmarks.options import Data, Models
from benchmarks.views.record import Record, measure_model
from benchmarks.views.tables import markdown
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.inference import shipped
from edge_runtime.inputs.class_folders import find_tests
from edge_runtime.inputs.folders import images_below
from edge_runtime.inputs.listing import LeftOut
from edge_runtime.support.files import replacing
from edge_runtime.support.options import run_command
from edge_runtime.support.outputs import output_file
from train.data import load_for
from train.dataset import DataError, Dataset
from train.outlier_files import wordnet_id
from train.outliers import is_validation


def main(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", help="Photographs of the models' classes, in folders named by class."
        ),
    ],
    models: Models = None,
    outside: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Also count how many photographs of none of the classes are accepted. Those whose "
            "WordNet class `python -m train --outliers` may train on are left out.",
        ),
    ] = None,
    data: Data = None,
    images: Annotated[
        int, typer.Option(min=1, help="Classify this many of the test images.")
    ] = 2000,
    rounds: Annotated[int, typer.Option(min=1, help="Time each photograph this many times.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the figures to this file as JSON.", metavar="FILE")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file that --out names if it exists.")
    ] = False,
) -> None:
    """Compare several views of an image with one view: accuracy, acceptance and time."""
    names = models or list(shipped.models())
    for option, path in (("FOLDER", folder), ("--outside", outside), ("--data", data)):
        if path is not None and not path.expanduser().exists():
            raise typer.BadParameter(f"{option} {path} does not exist; check the name.")
    try:
        inputs = [shipped.find(name) for name in names]
        file = (
            None
            if out is None
            else output_file(out, inputs=inputs, overwrite=overwrite, trial=True)
        )
    except EdgeRuntimeError as exc:
        raise typer.BadParameter(str(exc)) from exc
    try:
        loaded = load_for(data, map(image_side, names))
        records = _measure(names, loaded, folder, outside, images, rounds)
        figures = json.dumps({record.model: asdict(record) for record in records}, indent=1)
        if file is not None:
            with replacing(file, overwrite=overwrite) as temporary:
                temporary.write_text(figures + "\n")
    except (DataError, EdgeRuntimeError) as exc:
        _say(str(exc))
        raise typer.Exit(1) from None
    except OSError as exc:
        _say(f"{exc.filename} cannot be used ({exc.strerror}).")
        raise typer.Exit(1) from None
    typer.echo(figures if as_json else markdown(records))


def _measure(
    names: list[str],
    data: Dataset,
    folder: Path,
    outside: Path | None,
    images: int,
    rounds: int,
) -> list[Record]:
    left_out = LeftOut()
    for name in names:  # report a bad model before the long measurement starts
        open_classifier(name, len(data.class_names)).close()
    found = find_tests(folder, data.class_names, left_out)
    photographs = [(Path(each.path), each.label) for each in found.photographs if each.label >= 0]
    others = [] if outside is None else _unseen(outside, left_out)
    for sentence in (*found.unreadable, *([str(left_out)] if left_out.files else [])):
        _say(sentence)
    return [
        measure_model(name, data, photographs, others, images=images, rounds=rounds, say=_say)
        for name in names
    ]


def _unseen(folder: Path, left_out: LeftOut) -> list[Path]:
    """Return the images in a folder of which training sees no others of the same class.

    Raises:
        ImageError: a folder cannot be searched.
    """
    paths = []
    for source in images_below(str(folder), left_out):
        if source.error is not None:
            raise source.error
        of_class = wordnet_id(source.name)
        if of_class is None or is_validation(of_class):
            paths.append(Path(source.name))
    return paths


def _say(line: str) -> None:
    typer.echo(f"views: {line}", err=True)


if __name__ == "__main__":
    run_command(main)
