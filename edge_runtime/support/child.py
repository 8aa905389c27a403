"""Running a module of this package in a separate Python process.

Some programs cannot start one: a frozen application, or a program that embeds Python, finds its own
name in `sys.executable` and would start itself. `child_command` then raises `NoPythonError`, and
callers do without: the pool classifies in this process, and a model is loaded untried.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_ROOT = str(Path(__file__).parents[2])
_INTERPRETER = re.compile(r"(python|pypy)[\w.-]*")  # python3.11, pythonw.exe, pypy3


class NoPythonError(OSError):
    """This program has no Python interpreter to start."""


def child_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this package with the same Python.

    The child finds the same modules as this process, but none in the working directory.

    Args:
        module: full name of the module.
        arguments: of the module's command line.

    Raises:
        NoPythonError: `sys.executable` is not a Python interpreter.
    """
    program = os.path.basename(sys.executable or "")  # noqa: PTH119
    if getattr(sys, "frozen", False) or not _INTERPRETER.fullmatch(program.lower()):
        raise NoPythonError(errno.ENOEXEC, "this program has no Python interpreter to start")
    path = [str(entry) for entry in sys.path if entry]
    path += [_ROOT] * (_ROOT not in path)
    run = "import runpy, sys; sys.path[:] = sys.argv.pop(2).splitlines(); "
    run += "runpy.run_module(sys.argv.pop(1), run_name='__main__')"
    return [sys.executable, "-P", "-c", run, module, "\n".join(path), *arguments]


def child_environment() -> dict[str, str]:
    """Return the environment for a child: numpy starts no thread pool, which costs 30 ms."""
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1"}


@contextmanager
def shielded() -> Iterator[None]:
    """Shield the children that are started inside the block from Ctrl-C.

    The terminal sends SIGINT to this process and to its children. A child inherits the signals that
    are blocked, so that it is shielded before Python has started. Windows blocks no signals.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # a SIGINT that waited comes now


def child_stderr() -> int | None:
    """Return the descriptor for a child's standard error; None lets it inherit descriptor 2.

    After `native_log.silence` descriptor 2 leads nowhere, and the child's messages would be lost.
    """
    try:
        return None if sys.stderr is None else sys.stderr.fileno()
    except (OSError, ValueError):
        return None
