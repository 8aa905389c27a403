"""Silencing what native libraries write to file descriptor 2, past Python's sys.stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def dropped() -> Iterator[None]:
    """Drop everything that the process writes to file descriptor 2 inside the block.

    LiteRT's and TensorFlow's C++ code logs there, and Python has no switch for it. Keep the block
    short: what other threads write meanwhile is lost too.
    """
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        saved = os.dup(2)
    except OSError:  # closed by the caller, as in `2>&-`
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
