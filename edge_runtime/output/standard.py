"""Standard output as the place that results go to."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Self

from edge_runtime.output.formats import Format, header

if TYPE_CHECKING:
    from edge_runtime.inputs.names import Source


class StandardOutput:
    """Standard output, with the interface of `edge_runtime.output.file.Output`.

    Attributes:
        done: empty, because nothing is resumed.
        name: empty, because it is no file.
    """

    def __init__(self, format: Format) -> None:
        """Write the header.

        Raises:
            OSError: standard output is closed or cannot be written.
        """
        self.done: set[int] = set()
        self.name = ""
        if sys.stdout is None:  # closed, as in `>&-`
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), "standard output")
        self.write(header(format))

    def write(self, lines: str) -> None:
        """Write whole lines, which appear at once."""
        sys.stdout.write(lines)
        sys.stdout.flush()

    def require_other(self, source: Source) -> Source:
        """Return the source: nothing is replaced."""
        return source

    def keep(self) -> None:
        """Do nothing: everything is written."""

    def finish(self) -> None:
        """Do nothing: everything is written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass
