"""Catching what native libraries print past Python's sys.stdout and sys.stderr.

The C++ code of LiteRT and TensorFlow logs to file descriptor 2, its GPU part to descriptor 1 too.
Python has no switch for it, so descriptors are redirected for a while.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import RLock


def silence() -> None:
    """Drop what native libraries write to file descriptor 2, until the process ends.

    `sys.stderr` keeps working, because it moves to a copy of the descriptor. Only a program that
    owns its process may call this: other native code in it becomes silent too.
    """
    if sys.stderr is None:  # closed, as in `2>&-`
        return
    try:
        stderr = os.dup(sys.stderr.fileno())
    except (OSError, ValueError):  # redirected to something that is not a file
        return
    sys.stderr = open(  # noqa: PTH123, SIM115 - it stays open
        stderr, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace"
    )
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    os.close(sink)


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
    """Collect what the process writes to descriptors 1 and 2 inside the block.

    Yields:
        A function that returns the text that was written so far.
    """
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


_one_at_a_time = RLock()  # two threads in turn would leave the descriptor redirected
_away: dict[int, int] = {}  # redirected descriptors, and copies of what they were before


@contextmanager
def _redirected(descriptor: int, sink: int) -> Iterator[None]:
    with _one_at_a_time:
        yield from _redirect(descriptor, sink)


def _redirect(descriptor: int, sink: int) -> Iterator[None]:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # a host program may have closed or replaced it
            stream.flush()
    try:
        saved = os.dup(descriptor)
    except OSError:  # closed by the caller, as in `2>&-`
        yield
        return
    outer = _away.get(descriptor, saved)
    try:
        _away[descriptor] = outer
        os.dup2(sink, descriptor)
        yield
    finally:
        os.dup2(saved, descriptor)
        os.close(saved)
        if outer == saved:
            _away.pop(descriptor, None)  # it is gone in a child that was forked inside the block


def _as_it_was() -> None:
    """Undo a redirection in a child that was forked while another thread was inside a block."""
    global _one_at_a_time
    _one_at_a_time = RLock()
    for descriptor, saved in _away.items():
        os.dup2(saved, descriptor)
    _away.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_as_it_was)
