"""Keeping other processes from a file that this one writes."""

from __future__ import annotations

import errno
import os
import warnings
from contextlib import suppress
from pathlib import Path


class Lock:
    """Holds a file exclusively, by a lock file `.NAME.lock` beside it.

    The system releases the lock when the process ends, however it ends.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Args:
            path: the file that nobody else may write meanwhile. It need not exist.

        Raises:
            OSError: another process holds the lock, or the folder cannot be written.
        """
        from filelock import FileLock, Timeout  # 20 ms, for runs that write a file

        if not path.parent.is_dir():  # filelock would make it
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        self._file = path.with_name(f".{path.name}.lock")
        self._lock = FileLock(self._file)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a file system without locks has a substitute
                self._lock.acquire(timeout=0)
        except Timeout as exc:
            raise OSError(errno.EAGAIN, "another run is writing it", str(path)) from exc
        except OSError as exc:  # name the file that the user knows
            raise OSError(exc.errno, exc.strerror, str(path)) from exc

    def release(self) -> None:
        """Give the lock back. Releasing it twice does no harm."""
        if self._lock.is_locked:
            with suppress(OSError):  # Windows keeps an open file
                self._file.unlink()
            self._lock.release()
