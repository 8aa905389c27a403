"""Features of photographs that were taught before, kept in the user's cache folder.

Teaching again, with some photographs more, then runs the backbone on the new ones alone, and a
stopped run continues where it was. Losing the store costs time only, so its errors are not
reported.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from edge_runtime.support.files import cache_folder, file_sha256
from edge_runtime.teaching.views import VIEWS

_MAX_ROWS = 50_000  # 6 kB each
_PATIENCE_S = 1.0  # for another process that writes


def open_store(backbone: Path) -> FeatureStore:
    """Open the store in the user's cache folder (on Linux `$XDG_CACHE_HOME/edge-classify`).

    Args:
        backbone: the file whose features are kept.
    """
    folder = cache_folder()
    path = folder and folder / "features.sqlite"
    return FeatureStore(path, f"{file_sha256(backbone)} {'+'.join(VIEWS)}")


class FeatureStore:
    """Features by the content of the photograph, in one SQLite file. Threads may share it."""

    def __init__(self, path: Path | None, backbone: str) -> None:
        """Open the store, or make it.

        Args:
            path: of the file; None keeps nothing.
            backbone: identifies the backbone and the views, whose features alone are found.
        """
        self._backbone = backbone
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None
        if path is None:
            return
        with suppress(OSError, sqlite3.Error):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _connect(path)
            except sqlite3.OperationalError:  # locked, or not writable
                pass
            except sqlite3.DatabaseError:  # damaged
                path.unlink()
                self._connection = _connect(path)

    def get(self, sha256: str) -> NDArray[np.int8] | None:
        """Return the features of a photograph, int8 (views * features,); None if not kept."""
        found = self._execute(
            "SELECT row FROM features WHERE backbone = ? AND sha256 = ?", self._backbone, sha256
        )
        return np.frombuffer(found[0][0], np.int8) if found else None

    def put(self, sha256: str, features: NDArray[np.int8]) -> None:
        """Keep the features of a photograph."""
        self._execute(
            "INSERT OR REPLACE INTO features VALUES (?, ?, ?)",
            self._backbone,
            sha256,
            features.tobytes(),
        )

    def _execute(self, statement: str, *values: str | bytes | int) -> list[Any]:
        """Return the rows. After an error the store does nothing, so that nobody waits twice."""
        with self._lock:
            if self._connection is None:
                return []
            try:
                return self._connection.execute(statement, values).fetchall()
            except sqlite3.Error:
                self._close()
                return []

    def _close(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._execute(  # the oldest go first
            "DELETE FROM features WHERE rowid IN (SELECT rowid FROM features "
            "ORDER BY rowid DESC LIMIT -1 OFFSET ?)",
            _MAX_ROWS,
        )
        with self._lock:
            self._close()


def _connect(path: Path) -> sqlite3.Connection:
    """Open or make the file. Each row is committed by itself, so that no process waits long."""
    connection = sqlite3.connect(
        path, timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA synchronous = OFF")  # rows may be lost if the power fails
        connection.execute(
            "CREATE TABLE IF NOT EXISTS features (backbone TEXT, sha256 TEXT, row BLOB, "
            "PRIMARY KEY (backbone, sha256))"
        )
    except sqlite3.Error:
        connection.close()
        raise
    return connection
