"""Catching what native libraries print, past Python's sys.stdout and sys.stderr.

LiteRT's and TensorFlow's C++ code logs to file descriptor 2, its GPU part to 1 as well, and Python
has no switch for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock


@contextmanager
def dropped() -> Iterator[None]:
    """Drop everything that the process writes to file descriptor 2 inside the block.

    Keep the block short: what other threads write meanwhile is lost too.
    """
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        with _redirected(2, sink):
            yield
    finally:
        os.close(sink)


@contextmanager
def captured() -> Iterator[Callable[[], str]]:
    """Keep what the process writes to descriptors 1 and 2 inside the block; give a reader of it."""
    import ctypes
    import tempfile

    with tempfile.TemporaryFile() as sink:

        def text() -> str:
            size = os.fstat(sink.fileno()).st_size
            return os.pread(sink.fileno(), size, 0).decode(errors="replace")

        with _redirected(1, sink.fileno()), _redirected(2, sink.fileno()):
            try:
                yield text
            finally:
                ctypes.CDLL(None).fflush(None)  # C's own buffer of standard output


_one_at_a_time = RLock()  # two threads that took turns would leave the descriptor redirected


@contextmanager
def _redirected(descriptor: int, sink: int) -> Iterator[None]:
    with _one_at_a_time:
        yield from _redirect(descriptor, sink)


def _redirect(descriptor: int, sink: int) -> Iterator[None]:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    try:
        saved = os.dup(descriptor)
    except OSError:  # closed by the caller, as in `2>&-`
        yield
        return
    try:
        os.dup2(sink, descriptor)
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
