"""The pictures that a benchmark classifies."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from edge_runtime.errors import EdgeRuntimeError, ImageError
from edge_runtime.inference import shipped
from edge_runtime.inputs.decode import decode
from edge_runtime.inputs.listing import expand
from edge_runtime.inputs.names import STANDARD_INPUT, is_url

MOST = 100  # more would be as many calls' variety, and take long to look through


class Pictures(NamedTuple):
    """Files that can be decoded.

    Attributes:
        paths: at most `MOST`.
        sha256: of all their contents, so that other ones are noticed.
        failed: how many could not be read.
    """

    paths: tuple[Path, ...]
    sha256: str
    failed: int


def find_pictures(names: Sequence[str], complain: Callable[[str], None]) -> Pictures:
    """Return the pictures behind some names, by default the shipped samples.

    Args:
        names: files, directories and globs.
        complain: is told why a picture cannot be used.

    Raises:
        ImageError: none can.
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
                    f"{source.name} is no file; for a benchmark, save the picture first."
                )
            decode(source.name, at_least=(64, 64))
            digest.update(Path(source.name).read_bytes())
        except EdgeRuntimeError as exc:
            complain(str(exc))
            failed += 1
            continue
        paths.append(Path(source.name))
        if len(paths) == MOST:
            complain(f"Of the pictures the first {MOST} are used.")
            break
    if not paths:
        raise ImageError("There is no picture to classify; name others with --images.")
    return Pictures(tuple(paths), digest.hexdigest(), failed)
