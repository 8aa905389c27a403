"""Progress of teaching: none, or a bar and the name of each stage on a terminal."""

from __future__ import annotations

from typing import TextIO

from edge_runtime.support import progress


class Progress:
    """Is told of the progress of `teach`, and ignores it."""

    def start(self, photographs: int) -> None:
        """Take note of how many photographs will be read."""

    def read(self, *, failed: bool) -> None:
        """Count a photograph."""

    def stage(self, name: str) -> None:
        """Take note of what follows, for example "fitting"."""

    def clear(self) -> None:
        """Remove what is shown."""


class Bar(Progress):
    """Shows the progress on a terminal."""

    def __init__(self, stream: TextIO | None) -> None:
        """Show nothing yet.

        Args:
            stream: the terminal; None shows nothing at all.
        """
        self._stream = stream
        self._bar = progress.Progress()

    def start(self, photographs: int) -> None:
        """Start the bar."""
        self._bar = progress.Progress(photographs, self._stream)

    def read(self, *, failed: bool) -> None:
        """Move the bar on."""
        self._bar.count(1, failed=int(failed))

    def stage(self, name: str) -> None:
        """Show the name."""
        progress.show_line(f"{name} ...", self._stream)

    def clear(self) -> None:
        """Remove the bar or the name."""
        progress.show_line("", self._stream)
