"""The command `python -m export.make_photographs`: make the committed photographs again.

They come with scikit-image, whose documentation says of each that it is in the public domain. Only
its wheel is needed: unpack it and name its folder `skimage/data`. The same version of Pillow gives
the same files.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from edge_runtime.errors import OutputError
from edge_runtime.support.console import complain
from edge_runtime.support.files import replacing
from edge_runtime.support.options import run_command
from edge_runtime.support.outputs import output_file
from export.photographs import FOLDER, MANIFEST, photograph_hash
from train.reason import sentence

# Files of scikit-image, and whether they judge; the others calibrate. NOTICE names their authors.
PHOTOGRAPHS = {
    "astronaut.png": False,
    "brick.png": False,
    "camera.png": True,
    "chelsea.png": True,
    "coffee.png": False,
    "grass.png": False,
    "gravel.png": False,
    "rocket.jpg": False,
}
_LARGEST = 512  # pixels
_QUALITY = 90


def write(source: Path, folder: Path = FOLDER) -> None:
    """Shrink the photographs and write them with their manifest.

    Args:
        source: scikit-image's folder of images.
        folder: where to write.

    Raises:
        OSError: a photograph is missing or damaged, or a file cannot be written.
    """
    manifest = {}
    for name, judges in PHOTOGRAPHS.items():
        with Image.open(source / name) as file:
            photograph = file.convert("RGB")
        photograph.thumbnail((_LARGEST, _LARGEST), Image.Resampling.BICUBIC)
        out = folder / f"{Path(name).stem}.jpg"
        with replacing(out) as temporary:
            # Without subsampling, decoders cannot differ in how they enlarge the colours.
            photograph.save(temporary, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
        with Image.open(out) as file:
            manifest[out.name] = {"judges": judges, "sha256": photograph_hash(file.convert("RGB"))}
    with replacing(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest, indent=1) + "\n")


def main(
    source: Annotated[
        Path, typer.Argument(help="Folder of scikit-image's images, skimage/data in its wheel.")
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the committed photographs if they exist.")
    ] = False,
) -> None:
    """Shrink scikit-image's photographs that are in the public domain, and write them."""
    missing = [name for name in PHOTOGRAPHS if not (source / name).is_file()]
    if missing:
        raise typer.BadParameter(
            f"{source} does not hold {', '.join(missing)}; name the folder skimage/data of "
            f"scikit-image's wheel."
        )
    inputs = [source / name for name in PHOTOGRAPHS]
    try:
        for name in (*(f"{Path(name).stem}.jpg" for name in PHOTOGRAPHS), MANIFEST):
            output_file(
                FOLDER / name, subject=str(FOLDER / name), inputs=inputs, overwrite=overwrite
            )
    except OutputError as exc:
        raise typer.BadParameter(str(exc)) from exc
    try:
        write(source)
    except OSError as exc:
        complain(sentence(exc), program="make_photographs")
        raise typer.Exit(1) from exc


if __name__ == "__main__":
    run_command(main)
