"""Options that several of the commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[MODEL]...",
        help="Names of shipped models, or .tflite files. Default: all shipped models.",
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        help="Read this CIFAR-10 archive or folder of images, as `python -m train cnn` does."
    ),
]
