"""Exit codes and messages of every command, and the end of its process.

Results go to stdout and everything else to stderr. This file imports nothing heavy, because
`edge-classify` imports it at each start.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn

from edge_runtime.support import native_log

INTERRUPTED = 130  # as in shells: 128 plus the number of SIGINT


def run_to_end(program: str, work: Callable[[], int]) -> NoReturn:
    """Run a command and end the process with its exit code.

    Args:
        program: the command's name, which precedes its messages.
        work: returns the exit code or raises SystemExit.
    """
    # The thread pool costs 30 to 50 ms at start, and numpy does no linear algebra here.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    native_log.silence()
    for stream in (sys.stdout, sys.stderr):  # a file name may be invalid UTF-8
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            code = work()
        except SystemExit as exc:  # every Typer application ends with one
            code = int(exc.code or 0)
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except OSError as exc:  # only writing gets here, for example to a full disk
        code = 1
        if exc.errno != errno.EPIPE:  # `| head` has read enough
            where = f"to {exc.filename} " if exc.filename else ""
            complain(f"the results could not be written {where}({exc.strerror}).", program=program)
    # Everything is written. Dismantling the interpreter and the model piece by piece would add a
    # tenth to the run.
    os._exit(code)


def complain(sentence: str, *, program: str = "edge-classify") -> None:
    """Print one line on standard error."""
    if sys.stderr is None:  # closed, as in `2>&-`: print would use standard output instead
        return
    with suppress(OSError):  # a message that cannot be shown must not stop the work
        print(f"{program}: {one_line(sentence)}", file=sys.stderr)


def one_line(text: str) -> str:
    """Escape line breaks and control characters, which file names may contain."""
    return "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else ascii(c)[1:-1] for c in text
    )
