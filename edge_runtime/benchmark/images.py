"""Find the images that a benchmark classifies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from edge_runtime.errors import EdgeRuntimeError, ImageError
from edge_runtime.inference import shipped
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.listing import expand
from edge_runtime.inputs.names import STANDARD_INPUT
from edge_runtime.inputs.urls import is_url, shown

MAX_IMAGES = 100  # more images hardly add variety, and checking them takes long


class BenchmarkImages(NamedTuple):
    """Image files that can be decoded.

    Attributes:
        paths: at most `MAX_IMAGES` files.
        sha256: SHA-256 of the concatenated contents, which tells one set of images from another.
        failed: number of images that could not be read.
    """

    paths: tuple[Path, ...]
    sha256: str
    failed: int


def find_images(names: Sequence[str], complain: Callable[[str], None]) -> BenchmarkImages:
    """Return the images that some names stand for, by default the shipped samples.

    Args:
        names: files, directories and globs.
        complain: called with the reason if an image cannot be used.

    Raises:
        ImageError: no image can be used.
    """
    paths: list[Path] = []
    failed = 0
    digest = hashlib.sha256()
    for source in expand(names or [str(path) for path in shipped.samples().values()]):
        try:
            if source.error:
                raise source.error
            if source.name == STANDARD_INPUT or is_url(source.name):
                raise ImageError(
                    f"{shown(source.name)} is not a file; save the image to a file, and name that."
                )
            decode(source.name, at_least=(64, 64))
            digest.update(Path(source.name).read_bytes())
        except EdgeRuntimeError as exc:
            complain(str(exc))
            failed += 1
            continue
        paths.append(Path(source.name))
        if len(paths) == MAX_IMAGES:
            complain(f"Only the first {MAX_IMAGES} images are used.")
            break
    if not paths:
        raise ImageError("There is no image to classify; name others with --images.")
    return BenchmarkImages(tuple(paths), digest.hexdigest(), failed)
