"""Features of photographs that were taught before, kept in the user's cache folder.

Teaching again, with some photographs more, then runs the backbone on the new ones alone, and a
stopped run continues where it was. Losing the store costs time only, so its errors are not
reported.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.files import file_sha256
from edge_runtime.teaching.views import VIEWS

_MAX_ROWS = 50_000  # 6 kB each
_COMMIT_EVERY = 50


def open_store(backbone: Path) -> FeatureStore:
    """Open the store in the user's cache folder (on Linux `$XDG_CACHE_HOME/edge-classify`).

    Args:
        backbone: the file whose features are kept.
    """
    from platformdirs import user_cache_path

    try:
        path = user_cache_path("edge-classify", appauthor=False) / "features.sqlite"
    except RuntimeError:  # a user without a home folder
        path = Path(os.devnull) / "features.sqlite"
    return FeatureStore(path, f"{file_sha256(backbone)} {'+'.join(VIEWS)}")


class FeatureStore:
    """Features by the content of the photograph, in one SQLite file. Threads may share it."""

    def __init__(self, path: Path, backbone: str) -> None:
        """Open the store, or make it.

        Args:
            path: of the file.
            backbone: identifies the backbone and the views, whose features alone are found.
        """
        self._backbone = backbone
        self._lock = Lock()
        self._waiting = 0
        self._connection: sqlite3.Connection | None = None
        with suppress(OSError, sqlite3.Error):
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, check_same_thread=False)
            connection.execute(
                "CREATE TABLE IF NOT EXISTS features (backbone TEXT, sha256 TEXT, row BLOB, "
                "PRIMARY KEY (backbone, sha256))"
            )
            self._connection = connection

    def get(self, sha256: str) -> NDArray[np.int8] | None:
        """Return the features of a photograph, int8 (views * features,); None if not kept."""
        if self._connection is None:
            return None
        with self._lock, suppress(sqlite3.Error):
            found = self._connection.execute(
                "SELECT row FROM features WHERE backbone = ? AND sha256 = ?",
                (self._backbone, sha256),
            ).fetchone()
            return None if found is None else np.frombuffer(found[0], np.int8)
        return None

    def put(self, sha256: str, features: NDArray[np.int8]) -> None:
        """Keep the features of a photograph."""
        if self._connection is None:
            return
        with self._lock, suppress(sqlite3.Error):
            self._connection.execute(
                "INSERT OR REPLACE INTO features VALUES (?, ?, ?)",
                (self._backbone, sha256, features.tobytes()),
            )
            self._waiting += 1
            if self._waiting >= _COMMIT_EVERY:
                self._connection.commit()
                self._waiting = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.execute(  # the oldest go first
                    "DELETE FROM features WHERE rowid IN (SELECT rowid FROM features "
                    "ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
                    (_MAX_ROWS,),
                )
                self._connection.commit()
            self._connection.close()
