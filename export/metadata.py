"""Attaching files to a .tflite model, as TFLite Metadata does."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

_DATE = (1980, 1, 1, 0, 0, 0)  # the zip format's first, so that equal inputs give equal bytes


def attach(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """Append a zip archive of `files` to a model; LiteRT ignores what follows its graph.

    Entries are stored: MediaPipe and `edge_runtime` refuse deflated ones.
    """
    data = io.BytesIO()
    data.write(model)
    with zipfile.ZipFile(data, "a", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, _DATE), files[name])
    return data.getvalue()
